"""How sure the difference between a student's accuracy and its teacher's is, on the rows that both answered."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from compress.report.packing import unpack
from compress.report.record import Record
from compress.report.variant import Variant


class Margin(NamedTuple):
    """A difference of two accuracies and half the width of its 95 % interval, both as shares of the rows."""

    difference: float
    half_width: float

    def rows_to_tell(self, limit: float, rows: int) -> int | None:
        """How many rows would put `limit` outside the interval, were the difference to stay; None if no number would."""
        distance = abs(self.difference - limit)
        return math.ceil(rows * (self.half_width / distance) ** 2) if distance > 1e-9 else None


def margin(record: Record, variant: Variant) -> Margin | None:
    """The paired difference of a variant's accuracy and the teacher's in PyTorch FP32; None without teacher or rows."""
    teacher, rows = record.reference, record.data.test.rows
    if teacher is None or not rows:
        return None
    return paired(record, variant, teacher)


def paired(record: Record, variant: Variant, other: Variant) -> Margin:
    """The difference of two variants' accuracies on the rows that both answered, of which there is one at least."""
    return between(unpack(record.gold), unpack(variant.predictions), unpack(other.predictions))


def between(gold: Sequence[int], own: Sequence[int], there: Sequence[int]) -> Margin:
    """The difference of the accuracies of two lists of answers to the same rows, of which there is one at least.

    The width counts half a row more of each kind, so that a few rows with the same answers are no proof that all have them.
    Source: Agresti and Min 2005, Statistics in Medicine 24, Simple improved confidence intervals for comparing matched
    proportions
    """
    answers = zip(gold, own, there, strict=True)
    differences = [int(one == right) - int(other == right) for right, one, other in answers]
    rows, net, apart = len(differences), sum(differences), sum(map(abs, differences))
    variance = ((apart + 1) - net * net / (rows + 2)) / (rows + 2)
    return Margin(net / rows, 1.96 * math.sqrt(variance / (rows + 2)))
