"""Quantization recipes: one file each, which rewrites an exported ONNX graph with smaller numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
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


Validation: TypeAlias = "Callable[[], Iterable[tuple[Feeds, NDArray[np.int64]]]]"
"""Gives validation batches with their rows' label ids, anew with each call."""


@dataclass(frozen=True)
class Material:
    """What a recipe may use besides the graph."""

    precision: str
    """What is made, such as `int8`."""
    calibration: Calibration
    """Training rows."""
    validation: Validation | None = None
    """Rows to judge by; None where only the speed of what is made counts."""
    max_drop: float = 0.01
    """The share of the validation rows that may be answered wrongly for it."""


class Recipe(Protocol):
    """What a file of this package defines under its own name. Importing the file imports no engine."""

    calibrates: bool
    """Whether its numbers depend on the rows of its material."""
    precisions: frozenset[str]
    """What it makes."""
    by_call: bool
    """Whether activations get their scales at each call, so that an answer depends on the rows beside it."""
    packages: tuple[str, ...]
    """The packages that it needs besides those that the program is installed with."""

    def __call__(self, graph: Path, out: Path, material: Material) -> tuple[str, ...]:
        """Read the fp32 graph, write the quantized one to `out`: whole or not at all, the same bytes each time.

        Returns what a reader should know of choices that were made, in sentences.
        Raises: InputError if the recipe needs calibration batches and gets none.
        """


_Function: TypeAlias = "Callable[[Path, Path, Material], tuple[str, ...] | None]"


def recipe(
    *precisions: str, calibrates: bool, by_call: bool = False, packages: tuple[str, ...] = ()
) -> Callable[[_Function], Recipe]:
    """Mark a function as a recipe that makes the precisions; the marks are attributes of their names."""

    def mark(function: _Function) -> Recipe:
        @wraps(function)
        def made(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
            return function(graph, out, material) or ()

        marks = {
            "calibrates": calibrates,
            "precisions": frozenset(precisions),
            "by_call": by_call,
            "packages": packages,
        }
        made.__dict__.update(marks)
        return cast("Recipe", made)

    return mark
