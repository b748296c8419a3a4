"""Is a student fast enough? Times and speed-ups with the intervals that the rounds of the measurement give them."""

from collections.abc import Iterator
from dataclasses import replace

from compress.config import settings
from compress.report import words
from compress.report.gate.check import Check, blind, exactly, judged_by, listed
from compress.report.gate.judged import absent, judged, pairs
from compress.report.record import Record
from compress.report.variant import Cell, Interval, Variant
from compress.statistics.estimate import Estimate
from compress.statistics.ratio_interval import ratio_interval
from compress.units import milliseconds

P95_CALLS = 59
"""So many calls have one above the 95th percentile in 95 sessions of 100 (1 - 0.95^59); of fewer, none may be."""


def shape(record: Record, gate: settings.LatencyGate) -> tuple[int, int]:
    """Batch and sequence at which the gate judges latency."""
    return gate.batch or record.shape[0], gate.sequence or record.shape[1]


def limits(record: Record, gate: settings.LatencyGate, student: str) -> Iterator[Check | str]:
    """Times and speed-ups against the limits of the gate."""
    asked = {"latency.p50_ms": gate.p50_ms, "latency.p95_ms": gate.p95_ms, "latency.speedup": gate.speedup}
    for name, limit in asked.items():
        if limit is None:
            continue
        yield from absent(record, name, student, gate.on)
        for variant in judged(record, student, gate.on):
            cell = variant.cell(*shape(record, gate))
            if cell is None:
                yield _untimed(name, variant, shape(record, gate))
            elif name == "latency.speedup":
                yield from _speedup(name, variant, cell, limit)
            else:
                yield from _time(name, variant, cell, limit)


def _time(name: str, variant: Variant, cell: Cell, limit: float) -> Iterator[Check | str]:
    median = name == "latency.p50_ms"
    seen = _estimate(cell.p50_ms, cell.p50_interval) if median else _estimate(cell.p95_ms, cell.p95_interval)
    span = "" if seen.low == seen.high else f" ({milliseconds(seen.low)} to {milliseconds(seen.high)})"
    text = (
        f"{variant.model} {variant.id} has a {'median' if median else '95th percentile'} of "
        f"{milliseconds(seen.value)}{span} at {words.shape(cell.batch, cell.sequence)} tokens; "
        f"asked: at most {milliseconds(limit)}"
    )
    check = judged_by(name, variant, seen, limit, text, most=True)
    few = not median and cell.p95_interval is not None and cell.samples < P95_CALLS
    yield from _sure(replace(check, answer="not comparable") if few and check.answer == "pass" else check)


def _speedup(name: str, variant: Variant, cell: Cell, limit: float) -> Iterator[Check | str]:
    where = f"at {words.shape(cell.batch, cell.sequence)} tokens"
    if cell.speedup is None:
        text = f"{variant.model} {variant.id} was not timed beside the teacher in PyTorch FP32 {where}."
        yield blind(name, text, variant.model, variant.id)
        return
    seen = _estimate(cell.speedup, cell.speedup_interval)
    text = (
        f"{variant.model} {variant.id} is {words.times(cell.speedup)}{_span(seen)} as fast as the teacher {where}; "
        f"asked: at least {words.times(limit)}"
    )
    yield from _sure(judged_by(name, variant, seen, limit, text, most=False))


def against(record: Record, gate: settings.LatencyGate, baseline: Record, student: str) -> Iterator[Check | str]:
    """Medians against the baseline's, or with `relative` speed-ups over the teacher."""
    name, where = "latency.max_ratio", shape(record, gate)
    for pair in pairs(record, baseline, student, name, gate.on):
        if not isinstance(pair, tuple):
            yield pair
            continue
        cell, before = pair[0].cell(*where), pair[1].cell(*where)
        if cell is None or before is None:
            which = "" if cell is None else " in the baseline"
            yield _untimed(name, pair[0] if cell is None else pair[1], where, which)
        elif gate.relative:
            yield from _slower_than_teacher(name, pair[0], cell, before, gate.max_ratio)
        else:
            ours, theirs = _estimate(cell.p50_ms, cell.p50_interval), _estimate(before.p50_ms, before.p50_interval)
            seen = _ratio(ours, theirs)
            text = (
                f"{student} {pair[0].id} has a median of {milliseconds(cell.p50_ms)}, the baseline "
                f"{milliseconds(before.p50_ms)}{_times(seen)}; allowed: {words.times(gate.max_ratio)} of it"
            )
            yield from _sure(judged_by(name, pair[0], seen, gate.max_ratio, text, most=True))


def _slower_than_teacher(name: str, variant: Variant, cell: Cell, before: Cell, limit: float) -> Iterator[Check | str]:
    if cell.speedup is None or before.speedup is None:
        which = "" if cell.speedup is None else " in the baseline"
        text = f"{variant.model} {variant.id} was not timed beside the teacher in PyTorch FP32{which}."
        yield blind(name, text, variant.model, variant.id)
        return
    ours, theirs = (_estimate(one.speedup or 1, one.speedup_interval) for one in (cell, before))
    seen = _ratio(theirs, ours)
    text = (
        f"{variant.model} {variant.id} is {words.times(cell.speedup)} as fast as the teacher, in the baseline "
        f"{words.times(before.speedup)}{_times(seen)}; allowed: {words.times(limit)} of its time"
    )
    yield from _sure(judged_by(name, variant, seen, limit, text, most=True))


def clock(record: Record, gate: settings.LatencyGate, baseline: Record) -> str:
    """Why the latencies of two records cannot be compared; empty if they can.

    Speed-ups over the same teacher hold across machine classes, but not across numbers of threads, of which a large
    model makes more than a small one.
    """
    there, here = baseline.machine.machine_class, record.machine.machine_class
    if record.measure.threads != baseline.measure.threads:
        return f"it was measured on {words.plural(baseline.measure.threads, 'thread', 'threads')}, this on {record.measure.threads}"
    if gate.relative:
        sizes = [one.reference.parameters if one.reference else None for one in (record, baseline)]
        return "" if None not in sizes and sizes[0] == sizes[1] else "its teacher is another one, or none was timed"
    return "" if there == here else f"it was measured on another machine class: {there}, this is {here}"


def _sure(check: Check) -> Iterator[Check | str]:
    """The check with its sentence ended: what would tell, where the rounds are too few."""
    unsure = check.answer == "not comparable"
    end = ". The rounds are too few to tell, raise `measure.rounds`." if unsure else "."
    yield replace(check, sentence=check.sentence + end)
    if check.low == check.high:
        yield "Latency is judged as measured, without the noise of its rounds, where a report has no intervals."


def _estimate(value: float, interval: Interval | None) -> Estimate:
    """A number with its interval, which older reports lack; a time of nothing is no time."""
    if interval is None:
        return exactly(value)
    return Estimate(value, min(value, max(interval.low, value / 1000)), max(value, interval.high))


def _ratio(top: Estimate, bottom: Estimate) -> Estimate:
    low, high = ratio_interval(top, bottom)
    return Estimate(top.value / bottom.value, low, high)


def _times(seen: Estimate) -> str:
    return f", {words.times(seen.value)} of it{_span(seen)}" if seen.low < seen.high else ""


def _span(seen: Estimate) -> str:
    return "" if seen.low == seen.high else f" ({seen.low:.2f} to {seen.high:.2f})"


def _untimed(name: str, variant: Variant, where: tuple[int, int], which: str = "") -> Check:
    there = listed(words.shape(cell.batch, cell.sequence) for cell in variant.latency)
    text = f"{variant.model} {variant.id} was not timed at {words.shape(*where)} tokens{which}. There: {there}."
    return blind(name, text, variant.model, variant.id)
