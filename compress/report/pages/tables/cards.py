"""Each student at its best."""

from typing import NamedTuple

from compress import units
from compress.report import words
from compress.report.gate.judged import judged
from compress.report.gate.verdict import Verdict
from compress.report.pages.tables.table import NONE, export, kept
from compress.report.record import Record
from compress.report.variant import Variant


class Card(NamedTuple):
    """A student at its best, in four numbers."""

    student: str
    export: str
    numbers: tuple[tuple[str, str], ...]


def cards(record: Record, verdict: Verdict) -> list[Card]:
    """For each student its best export."""
    return [_card(record, best(record, verdict, student)) for student in record.students]


def best(record: Record, verdict: Verdict, student: str) -> Variant:
    """A student's fastest judged export that no check fails (or, if all fail, its fastest)."""
    on = record.gate.latency.on or record.gate.accuracy.on
    variants = judged(record, student, on) or judged(record, student, None) or record.of(student)
    failed = {check.variant for check in verdict.checks if check.student == student and check.answer == "fail"}
    good = [variant for variant in variants if variant.id not in failed] or list(variants)
    return min(good, key=lambda variant: _speed(record, variant))


def _speed(record: Record, variant: Variant) -> float:
    cell = variant.cell(*record.shape)
    return float("inf") if cell is None else cell.p50_ms


def _card(record: Record, variant: Variant) -> Card:
    metric, cell = record.task.metric, variant.cell(*record.shape)
    numbers = [(kept(record, variant), f"of teacher's {words.metric(metric)}")]
    if cell is not None and cell.speedup is not None:
        numbers.append((words.times(cell.speedup), "as fast"))
    if record.reference is not None and variant.size_bytes:
        numbers.append((words.times(record.reference.size_bytes / variant.size_bytes), "smaller"))
    numbers.append((units.size(variant.size_bytes), "file"))
    return Card(variant.model, export(variant), tuple(number for number in numbers if number[0] != NONE))
