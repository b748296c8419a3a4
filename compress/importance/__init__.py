"""How much a unit (an attention head, a feed-forward neuron) matters: one score a file, named in YAML by the file's name.

A score says what it reads with the decorator below, gets that of one layer's heads or neurons, and gives one number a
unit: not negative, high = keep.

- `weights` (units, n): all weights of the unit.
- `gradients` (samples, units): each sample's loss by a factor on the unit's output, taken at 1.
- `moments`: two arguments. `columns` (units, size, out) are the unit's columns of the Linear that puts the block's output
  together (head size columns for a head, one for a neuron); `moments` (units * size, units * size) are the mean products
  of that Linear's inputs over the tokens of the rows.
- `generator`: two arguments, the number of units and a seeded torch.Generator.

A score is `comparable` if it estimates how much the loss grows without the unit, so that the numbers of several units
add up and those of heads and neurons can be set off against each other; a cut to a target needs to know.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

Reads = Literal["weights", "gradients", "moments", "generator"]
"""What a score is computed from."""

Formula = TypeVar("Formula", bound=Callable[..., Any])


def importance(reads: Reads, *, comparable: bool = False) -> Callable[[Formula], Formula]:
    """Mark a function as an importance score computed from `reads`; the marks are its attributes of these names."""

    def mark(formula: Formula) -> Formula:
        formula.__dict__["reads"] = reads
        formula.__dict__["comparable"] = comparable
        return formula

    return mark
