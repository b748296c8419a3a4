"""What two models answered to the same rows, compared."""

from functools import lru_cache
from typing import TYPE_CHECKING

from compress import registry
from compress.errors import UnknownName
from compress.report.packing import unpack
from compress.report.record import Record
from compress.report.variant import Variant
from compress.statistics.evidence import Limit
from compress.statistics.paired import Cells, cells
from compress.statistics.rows_needed import rows_needed

if TYPE_CHECKING:  # numpy is slow to import, and accuracy needs none
    from compress.statistics.bootstrap import Draws


def counted(record: Record, variant: Variant, other: Variant) -> Cells:
    """The rows by which of two variants answers them rightly; `other` may be another report's, of the same rows."""
    return _counted(record.gold, variant.predictions, other.predictions)


def outcomes(record: Record, variant: Variant, other: Variant) -> "Cells | Draws | None":
    """Two variants' metric that is gated, on the same rows; None if no such metric is installed."""
    if record.task.metric == "accuracy":
        return counted(record, variant, other)
    try:
        return _drawn(record.task.metric, record.gold, variant.predictions, other.predictions)
    except UnknownName:
        return None


def needed(seen: "Cells | Draws", limit: Limit, confidence: float) -> int | None:
    """The rows at which the gate would see what may be lost."""
    return rows_needed(seen, limit, confidence) if isinstance(seen, Cells) else seen.rows_needed(limit, confidence)


@lru_cache(maxsize=512)
def _counted(gold: str, student: str, other: str) -> Cells:
    return cells(unpack(gold), unpack(student), unpack(other))


@lru_cache(maxsize=64)
def _drawn(metric: str, gold: str, student: str, other: str) -> "Draws":
    from compress.statistics.bootstrap import bootstrap

    return bootstrap(registry.METRICS.load(metric), unpack(gold), unpack(student), unpack(other))
