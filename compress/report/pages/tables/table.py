"""What a table is, and how a variant, a score and a difference are written in one."""

from typing import NamedTuple

from compress import units
from compress.report import words
from compress.report.gate.margin import Margin
from compress.report.record import Record
from compress.report.variant import Variant

NONE = "–"


class Column(NamedTuple):
    """The head of a column; numbers stand to the right."""

    text: str
    numeric: bool = False


class Table(NamedTuple):
    """Rows of text, as many cells as there are columns; the first `keys` cells say what a row is about."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: int = 1


def export(variant: Variant) -> str:
    """Runtime and precision of a variant in words: `ONNX Runtime INT8`."""
    return f"{words.runtime(variant.runtime)} {words.precision(variant.precision, variant.recipe)}"


def metric(name: str, variant: Variant) -> str:
    """A metric of a variant, if it has it."""
    return words.score(name, variant.metrics[name]) if name in variant.metrics else NONE


def kept(record: Record, variant: Variant) -> str:
    """The share of the teacher's metric that a variant has."""
    name = record.task.metric
    whole = record.reference.metrics.get(name) if record.reference else None
    own = variant.metrics.get(name)
    return units.percent(own / whole) if own is not None and whole is not None and whole > 0 else NONE


def difference(seen: Margin) -> str:
    """A difference in points with half its interval: `−0.75 ± 0.83`."""
    return f"{words.points(seen.difference)} ± {100 * seen.half_width:.2f}"
