"""The parts of the test rows that a student answers better or worse than its teacher."""

from compress import units
from compress.report import words
from compress.report.gate.slices import compare, parting, slicings
from compress.report.pages.tables.table import Column, Table
from compress.report.record import Record
from compress.report.variant import Variant

_SIDE = 0.975  # of an interval of 95 %


def table(record: Record, variant: Variant, *, moved: bool) -> Table:
    """Accuracy in each part beside the teacher's, the greatest loss first; empty without the teacher.

    moved: only the parts whose difference lies beyond its 95 % interval
    """
    heads = ("rows", "teacher", "student", "points")
    columns = (Column("by"), Column("part"), *(Column(head, numeric=True) for head in heads), Column("moved"))
    edges = {gate.by: gate.edges for gate in record.gate.slices}
    rows: list[tuple[float, tuple[str, ...]]] = []
    for by in slicings(record):
        parts = parting(record, by, edges.get(by))
        if parts is None or record.reference is None:
            continue
        for name, cells in compare(record, variant, record.reference, parts):
            low, high = cells.interval(_SIDE)
            direction = "worse ▼" if high < 0 else "better ▲" if low > 0 else ""
            if direction or not moved:
                shares = (units.percent(cells.other), units.percent(cells.own))
                told = f"{words.points(cells.difference)} ({words.points(low)} to {words.points(high)})"
                rows.append(
                    (cells.difference, (by, name, words.number(int(cells.rows)), *shares, told, direction or "no"))
                )
    return Table(columns, tuple(cells for _, cells in sorted(rows, key=lambda row: row[0])), keys=2)
