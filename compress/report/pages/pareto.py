"""The Pareto line: the models that no other one beats."""

from compress.report.gate.latency import shape
from compress.report.pages.tables.table import export
from compress.report.record import Record
from compress.report.variant import Variant

_Point = tuple[float, float, Variant]


def frontier(record: Record, batch: int, sequence: int) -> tuple[Variant, ...]:
    """The variants than which none is both faster at a shape and better by the task's metric, fastest first.

    Of two that are equal in one, the one that is better in the other is on the line; of two that are equal in both, both.
    """
    timed = [(cell.p50_ms, variant) for variant in record.variants if (cell := variant.cell(batch, sequence))]
    metric = record.task.metric
    known = [(ms, variant.metrics[metric], variant) for ms, variant in timed if metric in variant.metrics]
    unbeaten = [one for one in known if not any(_beats(other, one) for other in known)]
    return tuple(variant for _, _, variant in sorted(unbeaten, key=lambda one: one[:2]))


def sentence(record: Record) -> str:
    """The Pareto line at the shape that the gate judges; "" where nothing was timed."""
    names = [f"{one.model} {export(one)}" for one in frontier(record, *shape(record, record.gate.latency))]
    return f"On the Pareto line, fastest first: {', '.join(names)}." if names else ""


def _beats(one: _Point, other: _Point) -> bool:
    ms, score = one[:2]
    return (ms <= other[0] and score >= other[1]) and (ms, score) != other[:2]
