"""Quantization recipes: one file each, which rewrites an exported ONNX graph with smaller numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

Feeds: TypeAlias = "Mapping[str, NDArray[np.int64]]"
"""One batch for a graph: each input's name and its values, (batch, sequence)."""

Calibration: TypeAlias = "Callable[[], Iterable[Feeds]]"
"""Gives the calibration batches anew with each call, padded as little as can be: padding would count as data."""


class Recipe(Protocol):
    """What a file of this package defines under its own name. Importing the file imports no engine."""

    calibrates: bool
    """Whether its numbers depend on the calibration batches."""

    def __call__(self, graph: Path, out: Path, calibration: Calibration) -> None:
        """Read the fp32 graph, write the quantized one to `out`: whole or not at all, the same bytes each time.

        Raises: InputError if the recipe needs calibration batches and gets none.
        """


def recipe(*, calibrates: bool) -> Callable[[Callable[[Path, Path, Calibration], None]], Recipe]:
    """Mark a function as a recipe; the mark is its attribute `calibrates`."""

    def mark(function: Callable[[Path, Path, Calibration], None]) -> Recipe:
        function.__dict__["calibrates"] = calibrates
        return cast("Recipe", function)

    return mark
