"""The parts of the test rows that a student answers better or worse than its teacher."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from compress import units
from compress.report import words
from compress.report.gate.margin import Margin, between
from compress.report.packing import unpack
from compress.report.pages.tables.table import Column, Table, difference
from compress.report.record import Record
from compress.report.variant import Variant


class Part(NamedTuple):
    """Some of the test rows: what they are parted by, what these have in common, their places."""

    by: str
    value: str
    rows: tuple[int, ...]


def table(record: Record, variant: Variant, *, moved: bool) -> Table:
    """Accuracy in each part beside the teacher's, the greatest loss first; empty without the teacher.

    moved: only the parts whose difference lies beyond its 95 % interval
    """
    heads = ("rows", "teacher", "student", "points")
    columns = (Column("by"), Column("part"), *(Column(head, numeric=True) for head in heads), Column("moved"))
    if record.reference is None:
        return Table(columns, ())
    gold, own, there = (unpack(text) for text in (record.gold, variant.predictions, record.reference.predictions))
    rows: list[tuple[float, tuple[str, ...]]] = []
    for part in parts(record):
        chosen = [[answers[row] for row in part.rows] for answers in (gold, own, there)]
        seen = between(*chosen)
        if abs(seen.difference) > seen.half_width or not moved:
            shares = (_right(chosen[0], chosen[2]), _right(chosen[0], chosen[1]))
            cells = (words.number(len(part.rows)), *map(units.percent, shares), difference(seen))
            rows.append((seen.difference, (part.by, part.value, *cells, _direction(seen))))
    return Table(columns, tuple(cells for _, cells in sorted(rows, key=lambda row: row[0])), keys=2)


def _right(gold: Sequence[int], answers: Sequence[int]) -> float:
    return sum(map(int.__eq__, gold, answers)) / len(gold)


def _direction(seen: Margin) -> str:
    if abs(seen.difference) <= seen.half_width:
        return "no"
    return "worse ▼" if seen.difference < 0 else "better ▲"


def parts(record: Record) -> Iterator[Part]:
    """Every part with rows: by label, by length in quarters, by the further columns."""
    gold = unpack(record.gold)
    yield from _by("label", record.task.labels, gold)
    if record.lengths is not None:
        yield from _quarters(unpack(record.lengths))
    for name, column in record.columns.items():
        yield from _by(name, column.values, unpack(column.rows))


def _by(name: str, values: Sequence[str], of: Sequence[int]) -> Iterator[Part]:
    for number, value in enumerate(values):
        rows = tuple(row for row, seen in enumerate(of) if seen == number)
        if rows:
            yield Part(name, value, rows)


def _quarters(lengths: Sequence[int]) -> Iterator[Part]:
    order = sorted(lengths)
    edges = sorted({order[len(order) * quarter // 4] for quarter in range(1, 4)} - {order[0]}) if order else []
    for low, high in zip([0, *edges], [*edges, max(order, default=0) + 1], strict=True):
        rows = tuple(row for row, length in enumerate(lengths) if low <= length < high)
        if rows:
            yield Part("length", f"{min(lengths[r] for r in rows)} to {high - 1} tokens", rows)
