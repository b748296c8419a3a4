"""Checks that the metrics share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError, ShapeMismatch

Classes = Sequence[int] | NDArray[Any]
"""Class numbers, one a row."""


def pair(what: str, predictions: Classes, labels: Classes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both lists as arrays.

    Raises: ShapeMismatch if they differ in length; CompressError if they are empty.
    """
    found, right = np.asarray(predictions), np.asarray(labels)
    if found.shape != right.shape or found.ndim != 1:
        raise ShapeMismatch(f"{what}, predictions and labels in the place of both models", found.shape, right.shape)
    if not len(right):
        raise CompressError(f"{what}: there are no rows to compute it on.")
    return found, right
