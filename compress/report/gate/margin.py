"""How sure the difference between a student's accuracy and its teacher's is, on the rows that both answered."""

from typing import NamedTuple

from compress.report.gate.outcomes import counted
from compress.report.record import Record
from compress.report.variant import Variant

_SIDE = 0.975  # of an interval of 95 %


class Margin(NamedTuple):
    """A difference of two accuracies and its 95 % interval, as shares of the rows."""

    difference: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def margin(record: Record, variant: Variant) -> Margin | None:
    """The paired difference of a variant's accuracy and the teacher's in PyTorch FP32; None without teacher or rows."""
    teacher, rows = record.reference, record.data.test.rows
    return paired(record, variant, teacher) if teacher is not None and rows else None


def paired(record: Record, variant: Variant, other: Variant) -> Margin:
    """The difference of two variants' accuracies on the rows that both answered, of which there is one at least."""
    seen = counted(record, variant, other)
    return Margin(seen.difference, *seen.interval(_SIDE))
