"""Every model in every runtime and precision."""

from compress import units
from compress.report import words
from compress.report.pages.tables.table import NONE, Column, Table, export, kept, metric
from compress.report.record import Record


def table(record: Record) -> Table:
    """Every model in every runtime and precision: size, metric, latency of the first shape, memory."""
    shape = words.shape(*record.shape)
    columns = (
        Column("model"),
        Column("runtime"),
        Column("size", numeric=True),
        Column("smaller", numeric=True),
        Column(words.metric(record.task.metric), numeric=True),
        Column("kept", numeric=True),
        Column(f"p50 at {shape}", numeric=True),
        Column("p95", numeric=True),
        Column("speed-up", numeric=True),
        Column("peak memory", numeric=True),
    )
    rows = []
    for variant in record.variants:
        cell = variant.cell(*record.shape)
        whole = record.reference.size_bytes if record.reference else 0
        memory = variant.peak_memory_bytes
        rows.append(
            (
                variant.model,
                export(variant),
                units.size(variant.size_bytes),
                words.times(whole / variant.size_bytes) if whole and variant.size_bytes else NONE,
                metric(record.task.metric, variant),
                kept(record, variant),
                units.milliseconds(cell.p50_ms) if cell else NONE,
                units.milliseconds(cell.p95_ms) if cell else NONE,
                words.times(cell.speedup) if cell and cell.speedup else NONE,
                NONE if memory is None else units.size(memory),
            )
        )
    return Table(columns, tuple(rows), keys=2)
