"""Is enough of the metric left: of the teacher's, and of the baseline's? By tests on the rows that both answered."""

from collections.abc import Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING

from compress.config import settings
from compress.report import words
from compress.report.gate.check import Check, blind, listed
from compress.report.gate.judged import absent, judged, pairs
from compress.report.gate.outcomes import needed, outcomes
from compress.report.record import Record
from compress.report.variant import Variant
from compress.statistics.estimate import Estimate
from compress.statistics.evidence import Evidence, Limit
from compress.statistics.paired import Cells
from compress.units import percent

if TYPE_CHECKING:  # numpy is slow to import, and accuracy needs none
    from compress.statistics.bootstrap import Draws


def kept(record: Record, gate: settings.AccuracyGate, student: str) -> Iterator[Check]:
    """The share of the teacher's metric that each judged variant keeps."""
    if gate.keep is None:
        return
    name, metric, limit = "accuracy.keep", record.task.metric, Limit(keep=gate.keep)
    yield from absent(record, name, student, gate.on)
    for variant in judged(record, student, gate.on):
        seen = _compared(record, variant, record.reference, "teacher's in PyTorch FP32")
        if not isinstance(seen, str) and seen.other <= 0:
            seen = f"the teacher's {words.metric(metric)} is {seen.other:.4f}, of which no share can be kept."
        if isinstance(seen, str):
            yield blind(name, f"{student} {variant.id} cannot be judged: {seen}", student, variant.id)
            continue
        text = (
            f"keeps {percent(seen.own / seen.other)} of the teacher's {words.metric(metric)} "
            f"({words.score(metric, seen.own)} of {words.score(metric, seen.other)}), {_gap(metric, seen, gate)}; "
            f"asked: at least {percent(gate.keep)}"
        )
        ratio = Estimate(seen.own / seen.other, *seen.ratio_interval(gate.confidence))
        yield _check(name, variant, (ratio, gate.keep), (seen, limit), gate, text)


def against(record: Record, gate: settings.AccuracyGate, baseline: Record, student: str) -> Iterator[Check | str]:
    """How far the metric of each judged variant lies below the baseline's."""
    name, metric, limit = "accuracy.max_drop", record.task.metric, Limit(drop=gate.max_drop)
    for pair in pairs(record, baseline, student, name, gate.on):
        if not isinstance(pair, tuple):
            yield pair
            continue
        seen = _compared(record, pair[0], pair[1], "baseline's")
        if isinstance(seen, str):
            yield blind(name, f"{student} {pair[0].id} cannot be judged: {seen}", student, pair[0].id)
            continue
        text = (
            f"has {words.metric(metric)} {words.score(metric, seen.own)}, the baseline "
            f"{words.score(metric, seen.other)}, {_gap(metric, seen, gate)}; "
            f"allowed: a drop of {_units(metric, gate.max_drop)}"
        )
        low, high = seen.interval(gate.confidence)
        drop = Estimate(seen.other - seen.own, -high, -low)
        yield _check(name, pair[0], (drop, gate.max_drop), (seen, limit), gate, text)


def _compared(record: Record, variant: Variant, other: Variant | None, whose: str) -> "Cells | Draws | str":
    """The metric of two variants, or why there is none."""
    metric = record.task.metric
    word = words.metric(metric)
    if metric not in variant.metrics:
        return f"it has no {word}. There: {listed(variant.metrics)}."
    if other is None or metric not in other.metrics:
        return f"the {whose} {word} is missing."
    if not record.data.test.rows:
        return "there are no test rows."
    return outcomes(record, variant, other) or f"no metric `{metric}` is installed here to judge it by."


def _check(
    name: str,
    variant: Variant,
    number: tuple[Estimate, float],
    test: "tuple[Cells | Draws, Limit]",
    gate: settings.AccuracyGate,
    text: str,
) -> Check:
    (value, limit), (seen, allowed) = number, test
    evidence, rows = seen.test(allowed), int(seen.rows)
    some = needed(seen, allowed, gate.confidence)
    answer = evidence.answer(gate.confidence)
    tail = ""
    if gate.confidence > 0.5:  # else the numbers are taken as they are
        tail = f" {_tail(evidence, rows, some, gate.confidence, unsure=answer == 'not comparable')}"
    text = f"{variant.model} {variant.id} {text}.{tail}"
    return Check(name, variant.model, variant.id, value.value, limit, answer, text, value.low, value.high, rows, some)


def _tail(evidence: Evidence, rows: int, some: int | None, confidence: float, *, unsure: bool) -> str:
    """How many rows there are, and how many it takes."""
    there = words.plural(rows, "row", "rows")
    if some is None:
        only = (
            ""
            if not unsure
            else "; that nothing is lost shows only of a better model (`confidence: 0.5` takes numbers as they are)"
        )
        return f"{there}{only}."
    if not unsure:
        return f"{there}; to see such a drop takes {words.number(some)}."
    if rows < some:
        return f"{there} are too few to tell: to see such a drop takes {words.number(some)}."
    seen = evidence.kept if evidence.above >= 0 else evidence.lost
    away = NormalDist().inv_cdf(1 - min(max(seen, 1e-9), 1 - 1e-9))
    more = round(rows * (NormalDist().inv_cdf(confidence) / away) ** 2) if away > 0.2 else None
    would = f": were the difference to stay, {words.number(more)} would do" if more else ""
    return f"It is too near the limit to tell on {there}{would}."


def _gap(metric: str, seen: "Cells | Draws", gate: settings.AccuracyGate) -> str:
    """The difference with its interval: `−1.00 points (−1.60 to −0.40 with 95 % confidence)`."""
    if gate.confidence <= 0.5:
        return _units(metric, seen.difference, sign=True)
    low, high = (_number(metric, end) for end in seen.interval(gate.confidence))
    return f"{_units(metric, seen.difference, sign=True)} ({low} to {high} with {100 * gate.confidence:g} % confidence)"


def _units(metric: str, value: float, *, sign: bool = False) -> str:
    written = _number(metric, value)
    written = written if sign else written.lstrip("+")
    return f"{written} points" if words.share(metric) else written


def _number(metric: str, value: float) -> str:
    return words.points(value) if words.share(metric) else f"{value:+.3f}".replace("-", "−")
