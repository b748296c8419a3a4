"""How much a unit (an attention head, a feed-forward neuron) matters: one score a file, named in YAML by the file's name.

A score says what it reads with the decorator below: the unit's `weights` (units, n), or `gradients` (samples, units) of
each sample's loss by a factor on the unit's output, taken at 1. It gives one number a unit: not negative, high = keep.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

Reads = Literal["weights", "gradients"]
"""What a score is computed from."""

Formula = TypeVar("Formula", bound=Callable[..., Any])


def importance(reads: Reads) -> Callable[[Formula], Formula]:
    """Mark a function as an importance score that is computed from `reads`; the mark is its attribute of that name."""

    def mark(formula: Formula) -> Formula:
        formula.__dict__["reads"] = reads
        return formula

    return mark
