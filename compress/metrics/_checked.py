"""Checks and sums that the metrics share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError, ShapeMismatch

Classes = Sequence[int] | NDArray[Any]
"""Class numbers, one a row."""
Weights = NDArray[Any] | None
"""How often each row counts, (draws, n): a metric gives a number for each draw. Every row once if there are none."""
Score = float | NDArray[Any]
"""A number, or one a draw."""


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


def counts(
    found: NDArray[Any], right: NDArray[Any], weights: Weights
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """How often each class is predicted, is the right one, and both: each (draws, classes)."""
    names, places = np.unique(np.concatenate([found, right]), return_inverse=True)
    said, real = places[: len(found)], places[len(found) :]
    both = np.where(said == real, real, len(names))
    if weights is None:
        sums = [np.bincount(of, minlength=len(names) + 1)[None, : len(names)] for of in (said, real, both)]
    else:
        sums = [weights @ (of[:, None] == np.arange(len(names))).astype(float) for of in (said, real, both)]
    return sums[0], sums[1], sums[2]


def given(values: NDArray[Any], weights: Weights) -> Score:
    """The numbers of the draws, or the one there is."""
    return float(values[0]) if weights is None else values
