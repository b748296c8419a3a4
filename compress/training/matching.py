"""Which teacher layers each student layer learns from, and how much."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from compress.errors import InputError
from compress.mappings import Matrix
from compress.registry import MAPPINGS

Compare = Callable[[int, int], Tensor]
"""The loss () of a student layer against a teacher layer."""


class Pair(NamedTuple):
    """Two layers that are compared."""

    own: int
    """The student's, from 0."""
    other: int
    """The teacher's, from 0."""
    weight: float


class Matching:
    """The pairs of layers that a loss sums over.

    A mapping that reads counts has chosen them here, once. One that reads costs chooses them anew for each loss of each
    batch; only what it chose is computed with gradients.
    Raises: InputError if the mapping does not fit the numbers of layers; UnknownName if it does not exist
    """

    def __init__(self, rule: str | Sequence[int | None], student_layers: int, teacher_layers: int) -> None:
        # `pairs`: all that may be compared; where nothing is left to choose, those that are.
        self.shape = student_layers, teacher_layers
        self.name = rule
        self.rule: Callable[[Matrix], Matrix] | None = None
        if isinstance(rule, str) and MAPPINGS.load(rule).reads == "costs":
            self.rule = MAPPINGS.load(rule)
            self.pairs = [Pair(own, other, 1.0) for own in range(student_layers) for other in range(teacher_layers)]
        else:
            found = enumerate(mapped(rule, student_layers, teacher_layers))
            self.pairs = [Pair(own, other, 1.0) for own, other in found if other is not None]

    def total(self, compare: Compare) -> Tensor:
        """The weighted sum of a loss over the pairs."""
        pairs = self.pairs if self.rule is None else self._chosen(compare, self.rule)
        return torch.stack([pair.weight * compare(pair.own, pair.other) for pair in pairs]).sum()

    def _chosen(self, compare: Compare, rule: Callable[[Matrix], Matrix]) -> list[Pair]:
        with torch.no_grad():
            costs = torch.stack([compare(own, other) for own, other, _ in self.pairs]).view(self.shape)
        # What is no number shows in the loss itself, and is told there.
        weights = rule(costs.nan_to_num().tolist())
        if (len(weights), *{len(row) for row in weights}) != self.shape:
            raise InputError(
                f"layer_mapping: `{self.name}` gives weights of another shape than {self.shape}, its costs'."
            )
        return [pair._replace(weight=weight) for pair in self.pairs if (weight := weights[pair.own][pair.other])]


def mapped(rule: str | Sequence[int | None], student_layers: int, teacher_layers: int) -> tuple[int | None, ...]:
    """The teacher layer (from 0) of each student layer, as listed or by the name of a mapping that reads counts.

    Raises: InputError if the mapping does not fit the numbers of layers; UnknownName if it does not exist
    """
    if not isinstance(rule, str):
        found = MAPPINGS.load("explicit")(student_layers, teacher_layers, layers=rule)
    elif rule == "explicit":
        raise InputError("layer_mapping: `explicit` is written as the list itself, such as `[1, 3, 5]`.")
    elif rule == "start":
        raise InputError("layer_mapping: `start` needs a student that starts from its teacher's layers.")
    else:
        found = MAPPINGS.load(rule)(student_layers, teacher_layers)
    if len(found) != student_layers or not all(layer is None or 0 <= layer < teacher_layers for layer in found):
        raise InputError(
            f"layer_mapping: `{rule}` gives {list(found)} for {student_layers} student and {teacher_layers} teacher layers."
        )
    return tuple(found)
