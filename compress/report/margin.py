"""How sure the difference between a student's accuracy and its teacher's is, on the rows that both answered."""

import math
from typing import NamedTuple

from compress.report.packing import unpack
from compress.report.record import Record, Variant


class Margin(NamedTuple):
    """A difference of two accuracies and half the width of its 95 % interval, both as shares of the rows."""

    difference: float
    half_width: float

    def rows_to_tell(self, limit: float, rows: int) -> int | None:
        """How many rows would put `limit` outside the interval, were the difference to stay; None if no number would."""
        distance = abs(self.difference - limit)
        return math.ceil(rows * (self.half_width / distance) ** 2) if distance > 1e-9 else None


def margin(record: Record, variant: Variant) -> Margin | None:
    """The paired difference of a variant's accuracy and the teacher's in PyTorch FP32; None without teacher or rows.

    Source: normal interval of paired proportions (Agresti, Categorical Data Analysis, 3rd ed., section 11.1)
    """
    teacher, rows = record.reference, record.data.test.rows
    if teacher is None or not rows:
        return None
    answers = zip(unpack(record.gold), unpack(variant.predictions), unpack(teacher.predictions), strict=True)
    differences = [(own == gold) - (other == gold) for gold, own, other in answers]
    mean = sum(differences) / rows
    variance = max(0.0, sum(map(abs, differences)) / rows - mean * mean)
    return Margin(mean, 1.96 * math.sqrt(variance / rows))
