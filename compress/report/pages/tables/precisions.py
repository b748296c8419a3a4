"""What each lower precision gives and costs beside the plain one of its runtime."""

from compress import units
from compress.report import words
from compress.report.gate import trade
from compress.report.pages.tables.checks import MARKS
from compress.report.pages.tables.table import NONE, Column, Table, difference, export
from compress.report.record import Record
from compress.report.variant import Cell


def table(record: Record) -> Table:
    """What each lower precision gives and costs beside the plain one of its runtime; empty without lower ones."""
    found = trade.trades(record)
    shapes = list(dict.fromkeys((cell.batch, cell.sequence) for one in found for cell in one.variant.latency))
    columns = [Column("model"), Column("export"), Column("beside"), Column("answer")]
    columns += [Column("points of accuracy", numeric=True), Column("size", numeric=True)]
    columns += [Column(f"speed at {words.shape(*shape)}", numeric=True) for shape in shapes]
    rows = []
    for one in found:
        cells = {(cell.batch, cell.sequence): cell for cell in one.variant.latency}
        rows.append(
            (
                one.variant.model,
                export(one.variant),
                words.precision(one.plain.precision),
                _worth(one),
                NONE if one.margin is None else difference(one.margin),
                units.percent(one.variant.size_bytes / max(1, one.plain.size_bytes)),
                *(_beside(cells.get(shape)) for shape in shapes),
            )
        )
    return Table(tuple(columns), tuple(rows), keys=3)


def _beside(cell: Cell | None) -> str:
    seen = cell.to_plain if cell else None
    return NONE if seen is None else f"{words.times(seen.value)} ({seen.low:.2f}–{seen.high:.2f})"


def _worth(one: trade.Trade) -> str:
    if one.regressed:
        return f"{' and '.join(['slower'] * bool(one.slower) + ['loses too much'] * one.worse)} {MARKS['fail']}"
    timed = sum(cell.to_plain is not None for cell in one.variant.latency)
    faster = "faster" if len(one.faster) == timed else f"faster at {len(one.faster)} of {timed}"
    speed = faster if one.faster else "as fast"
    return ", ".join([speed, *["not smaller"] * one.larger, *["accuracy unsure"] * one.unsure])


def making(record: Record) -> list[str]:
    """A line for each export with something to be known of how it was made."""
    return [
        f"{variant.model} {export(variant)}: {'; '.join(variant.notes)}."
        for variant in record.variants
        if variant.notes and variant.asked
    ]
