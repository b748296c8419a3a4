"""Which teacher layers each student layer learns from: one rule a file, named in YAML by the file's name.

A rule says what it reads with the decorator below. One that reads `counts` takes the two numbers of layers and gives,
once and for all, one teacher layer, counted from 0, for each student layer (None: that one learns from none). One that
reads `costs` takes, batch by batch, what each student layer's loss against each teacher layer is, and gives a weight
for each pair; the weights of a student layer sum to 1, so that all rules weigh a layer alike.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

Reads = Literal["counts", "costs"]
"""What a rule decides by: the numbers of layers, or the losses between them."""

Matrix = Sequence[Sequence[float]]
"""One number for each pair: student layers x teacher layers."""

Rule = TypeVar("Rule", bound=Callable[..., Any])


def mapping(reads: Reads) -> Callable[[Rule], Rule]:
    """Mark a function as a layer mapping that decides by `reads`; the mark is its attribute of that name."""

    def mark(rule: Rule) -> Rule:
        rule.__dict__["reads"] = reads
        return rule

    return mark
