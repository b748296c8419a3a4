"""How long an answer takes."""

from compress import units
from compress.report import words
from compress.report.pages.tables.table import NONE, Column, Table, export
from compress.report.record import Record
from compress.report.variant import Cell, Interval, Variant

Shape = tuple[int, int | None]
"""Rows of one call, and tokens of each; None for real rows, each of its own length."""


def medians(record: Record) -> Table:
    """Median latency and speed-up of every variant at every shape, and on real rows where that was timed."""
    timed = shapes(record)
    rows = []
    for variant in record.variants:
        rows.append((variant.model, export(variant), *(_median(_cell(variant, shape)) for shape in timed)))
    columns = (Column("model"), Column("runtime"), *(Column(title(shape), numeric=True) for shape in timed))
    return Table(columns, tuple(rows), keys=2)


def percentiles(record: Record, shape: Shape) -> Table:
    """Every variant that was timed at a shape: its percentiles with the intervals of p50 and p95, rows in a second, calls."""
    heads = ["p50", "p90", "p95", "p99", "mean", "speed-up", "rows per second", "calls"]
    rows = []
    for variant in record.variants:
        cell = _cell(variant, shape)
        if cell is not None:
            times = (
                _within(cell.p50_ms, cell.p50_interval),
                units.milliseconds(cell.p90_ms),
                _within(cell.p95_ms, cell.p95_interval),
                units.milliseconds(cell.p99_ms),
                units.milliseconds(cell.mean_ms),
            )
            counts = (words.number(round(cell.rows_per_s)), words.number(cell.samples))
            rows.append((variant.model, export(variant), *times, _speedup(cell), *counts))
    columns = (Column("model"), Column("runtime"), *(Column(head, numeric=True) for head in heads))
    return Table(columns, tuple(rows), keys=2)


def shapes(record: Record) -> tuple[Shape, ...]:
    """The shapes that something was timed at, real rows last."""
    timed = dict.fromkeys((cell.batch, cell.sequence) for variant in record.variants for cell in variant.latency)
    real = dict.fromkeys((one.same_rows.batch, None) for one in record.variants if one.same_rows)
    return (*timed, *real)


def title(shape: Shape) -> str:
    """A shape in words: `1 × 16`, `real rows, one by one`."""
    return "real rows, one by one" if shape[1] is None else words.shape(*shape)


def _cell(variant: Variant, shape: Shape) -> Cell | None:
    batch, sequence = shape
    return variant.same_rows if sequence is None else variant.cell(batch, sequence)


def _median(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    written = units.milliseconds(cell.p50_ms)
    return f"{written} ({words.times(cell.speedup)})" if cell.speedup else written


def _speedup(cell: Cell) -> str:
    if cell.speedup is None:
        return NONE
    seen = cell.speedup_interval
    return words.times(cell.speedup) + (f" ({seen.low:.3g}–{seen.high:.3g})" if seen else "")


def _within(value_ms: float, interval: Interval | None) -> str:
    """A time with its interval: `8.49 ms (8.40–8.61)`."""
    written = units.milliseconds(value_ms)
    if interval is None:
        return written
    low, high = (units.milliseconds(end).removesuffix(" ms") for end in (interval.low, interval.high))
    return f"{written} ({low}–{high})"
