"""Does the run hold what its gate asks for? Pure: a record, a gate and perhaps a baseline in, an answer out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from compress.config import settings
from compress.report import goal, words
from compress.report.gate.margin import margin
from compress.report.gate.trade import Trade, trades
from compress.report.record import Record
from compress.report.variant import REFERENCE, TEACHER, Cell, Variant
from compress.units import milliseconds, percent, size

Answer = Literal["pass", "fail", "not comparable"]
_EXIT: dict[Answer, int] = {"pass": 0, "fail": 1, "not comparable": 3}
_SLACK = 1e-9  # a limit met exactly must not fail on the last bit of a float


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was asked and whether it holds.

    `name` is the key of the gate that asks (`accuracy.keep`, `latency.p95_ms`, `size.max_mb`), `baseline` for the
    comparison as a whole. `student` and `variant` are empty where the check is about no single one; `seen` and
    `limit` are None where there is no number. Units: shares, ms, bytes or ratios, as the name says.
    """

    name: str
    student: str
    variant: str
    seen: float | None
    limit: float | None
    answer: Answer
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to the whole gate, its checks, and notes: what a reader should know that decides nothing.

    `regressions` names the lower precisions that are slower or worse than the plain one of the same runtime, and how.
    """

    answer: Answer
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 not comparable."""
        return _EXIT[self.answer]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        counts = {answer: sum(check.answer == answer for check in self.checks) for answer in _EXIT}
        if not self.checks:
            return "The gate asks for nothing."
        if self.answer == "pass":
            return f"Everything the gate asks for holds ({words.plural(len(self.checks), 'check', 'checks')})."
        failed, blind = counts["fail"], counts["not comparable"]
        parts = [f"{failed} {'fails' if failed == 1 else 'fail'}"] if failed else []
        parts += [f"{blind} cannot be made here"] if blind else []
        return f"Of {words.plural(len(self.checks), 'check', 'checks')}, {' and '.join(parts)}."

    @property
    def headline(self) -> str:
        """The answer, and which lower precisions don't pay."""
        lost = [f"Slower or worse than plain: {'; '.join(self.regressions)}."] if self.regressions else []
        return " ".join([self.sentence, *lost])


def judge(record: Record, gate: settings.Gate, baseline: Record | None = None) -> Verdict:
    """Judge a record by a gate.

    Judged are the exports of the gate's students (or of all): those named by `on`, else every one that was asked for and
    not dropped, but the student in PyTorch FP32, which counts only where there is no other. Where none of them is left,
    there is nothing to compare. A better number never fails. The whole is a fail if a check fails, else not comparable if
    one cannot be made, else a pass.
    """
    built = dict.fromkeys([*record.students, *(one.model for one in record.unmeasured if one.model != TEACHER)])
    students = [name for name in gate.students or built if name in built]
    checks = [
        _blind("students", f"The gate names the student {name}, which is not here. Here: {_listed(built)}.", name)
        for name in gate.students or ()
        if name not in students
    ]
    for student in students:
        checks += _accuracy(record, gate.accuracy, student)
        checks += _latency(record, gate.latency, student)
        checks += _size(record, gate.size, student)
    found = trades(record)
    checks += _regressions(record, found, students)
    notes = [*_missed(record, students), *_doubts(record, checks), *_unmeasured(record, students)]
    if baseline is not None:
        checks += _against(record, gate, baseline, notes)
    elif gate.baseline is not None:
        checks.append(_blind("baseline", f"The baseline {gate.baseline} is not there."))
    answers = {check.answer for check in checks}
    answer: Answer = "fail" if "fail" in answers else "not comparable" if "not comparable" in answers else "pass"
    faults = tuple(
        f"{trade.variant.model} {trade.variant.id} ({trade.fault}{_fate(trade)})" for trade in found if trade.regressed
    )
    return Verdict(answer, tuple(checks), tuple(dict.fromkeys(notes)), faults)


def judged(record: Record, student: str, on: str | None) -> tuple[Variant, ...]:
    """The variants of a student that a part of the gate is about."""
    variants = record.of(student)
    if on is not None:
        return tuple(variant for variant in variants if variant.id == on)
    dropped = {(trade.variant.model, trade.variant.id) for trade in trades(record) if _dropped(trade)}
    asked = tuple(variant for variant in variants if variant.asked and (variant.model, variant.id) not in dropped)
    return tuple(variant for variant in asked if variant.id != REFERENCE) or asked


def _dropped(trade: Trade) -> bool:
    return trade.regressed and trade.variant.on_regression == "drop"


def _fate(trade: Trade) -> str:
    return ", dropped" if _dropped(trade) else ""


def _regressions(record: Record, found: Iterable[Trade], students: Iterable[str]) -> Iterator[Check]:
    """A check for each lower precision that must be neither slower nor worse."""
    name, compared = "export.on_regression", {(trade.variant.model, trade.variant.id): trade for trade in found}
    for variant in record.variants:
        if variant.model in students and variant.asked and variant.plain and variant.on_regression == "fail":
            trade = compared.get((variant.model, variant.id))
            if trade is None:
                text = f"{variant.model} {variant.id}: {variant.plain}, which it is compared with, was not run here."
                yield _blind(name, text, variant.model, variant.id)
            else:
                answer: Answer = "fail" if trade.regressed else "pass"
                yield Check(name, variant.model, variant.id, None, None, answer, trade.sentence)
    for built in record.unmeasured:
        if built.model in students and built.on_regression == "fail":
            yield _blind(name, f"{built.model} {built.id} was not run here: {built.reason}", built.model, built.id)


def _unmeasured(record: Record, students: Iterable[str]) -> Iterator[str]:
    """A note for each export that could not be run here."""
    for built in record.unmeasured:
        if built.model in students:
            yield f"{built.model} {built.id} was built ({size(built.size_bytes)}) and not run here: {built.reason}"


def shape(record: Record, gate: settings.LatencyGate) -> tuple[int, int]:
    """Batch and sequence at which the gate judges latency."""
    return gate.batch or record.shape[0], gate.sequence or record.shape[1]


def _accuracy(record: Record, gate: settings.AccuracyGate, student: str) -> Iterator[Check]:
    if gate.keep is None:
        return
    name, metric = "accuracy.keep", record.task.metric
    word = words.metric(metric)
    yield from _absent(record, name, student, gate.on)
    whole = None if record.reference is None else record.reference.metrics.get(metric)
    for variant in judged(record, student, gate.on):
        own = variant.metrics.get(metric)
        title = f"{student} {variant.id}"
        if own is None:
            yield _blind(name, f"{title} has no {word}. There: {_listed(variant.metrics)}.", student, variant.id)
        elif whole is None:
            yield _blind(name, f"{title}: the teacher's {word} in PyTorch FP32 is missing.", student, variant.id)
        elif whole <= 0:
            text = f"{title}: the teacher's {word} is {whole:.4f}, of which no share can be kept."
            yield _blind(name, text, student, variant.id)
        else:
            kept = own / whole
            text = (
                f"{title} keeps {percent(kept)} of the teacher's {word} ({words.score(metric, own)} of "
                f"{words.score(metric, whole)}); asked: at least {percent(gate.keep)}."
            )
            yield _check(name, variant, kept, gate.keep, kept >= gate.keep - _SLACK, text)


def _missed(record: Record, students: Iterable[str]) -> Iterator[str]:
    """A note for each student whose cut ended too far from its target."""
    for student in students:
        cut = record.structures.get(student)
        if cut is not None and cut.target is not None and cut.target.missed:
            yield f"{student}: {goal.sentence(cut.target)}"


def _doubts(record: Record, checks: Iterable[Check]) -> Iterator[str]:
    """A note for each accuracy check that more test rows might answer differently."""
    rows, metric = record.data.test.rows, record.task.metric
    for check in checks:
        variant = record.variant(check.student, check.variant)
        if check.name != "accuracy.keep" or metric != "accuracy" or not (variant and record.reference and check.limit):
            continue
        limit = (check.limit - 1) * record.reference.metrics[metric]
        seen = margin(record, variant)
        if seen is None or abs(seen.difference - limit) >= seen.half_width:
            continue
        needed = seen.rows_to_tell(limit, rows)
        more = f"; some {words.number(round(needed, -2))} rows would tell" if needed else ""
        yield (
            f"{check.student} {check.variant} is {words.points(seen.difference)} ± {100 * seen.half_width:.2f} points from "
            f"the teacher's accuracy (95 % interval, paired, {words.plural(rows, 'row', 'rows')}), and the limit of "
            f"{words.points(limit)} lies within{more}."
        )


def _latency(record: Record, gate: settings.LatencyGate, student: str) -> Iterator[Check]:
    asked = {"latency.p50_ms": gate.p50_ms, "latency.p95_ms": gate.p95_ms, "latency.speedup": gate.speedup}
    for name, limit in asked.items():
        if limit is None:
            continue
        yield from _absent(record, name, student, gate.on)
        for variant in judged(record, student, gate.on):
            cell = variant.cell(*shape(record, gate))
            if cell is None:
                yield _untimed(name, variant, shape(record, gate))
            elif name == "latency.speedup":
                yield _speedup(name, variant, cell, limit)
            else:
                median = name == "latency.p50_ms"
                seen = cell.p50_ms if median else cell.p95_ms
                text = (
                    f"{student} {variant.id} has a {'median' if median else '95th percentile'} of {milliseconds(seen)} "
                    f"at {words.shape(cell.batch, cell.sequence)} tokens; asked: at most {milliseconds(limit)}."
                )
                yield _check(name, variant, seen, limit, seen <= limit * (1 + _SLACK), text)


def _speedup(name: str, variant: Variant, cell: Cell, limit: float) -> Check:
    title, where = f"{variant.model} {variant.id}", f"at {words.shape(cell.batch, cell.sequence)} tokens"
    if cell.speedup is None:
        text = f"{title} was not timed beside the teacher in PyTorch FP32 {where}."
        return _blind(name, text, variant.model, variant.id)
    text = (
        f"{title} is {words.times(cell.speedup)} as fast as the teacher {where}; asked: at least {words.times(limit)}."
    )
    return _check(name, variant, cell.speedup, limit, cell.speedup >= limit * (1 - _SLACK), text)


def _size(record: Record, gate: settings.SizeGate, student: str) -> Iterator[Check]:
    if gate.max_mb is None:
        return
    limit = gate.max_mb * 1e6
    yield from _absent(record, "size.max_mb", student, gate.on)
    for variant in judged(record, student, gate.on):
        text = f"{student} {variant.id} takes {size(variant.size_bytes)}; asked: at most {size(limit)}."
        holds = variant.size_bytes <= limit * (1 + _SLACK)
        yield _check("size.max_mb", variant, variant.size_bytes, limit, holds, text)


def _against(record: Record, gate: settings.Gate, baseline: Record, notes: list[str]) -> list[Check]:
    """Nothing may be worse than the baseline, beyond what the gate allows."""
    differs = _differs(record, baseline)
    if differs:
        return [_blind("baseline", f"The baseline {baseline.name} is not comparable: {differs}.")]
    timed = _same_clock(record, baseline, notes)
    checks: list[Check] = []
    for student in gate.students or tuple(dict.fromkeys(record.students + baseline.students)):
        if student not in record.students:
            text = f"The student {student} of the baseline {baseline.name} is not here."
            checks += [_blind("baseline", text, student)] if student in baseline.students else []
            continue
        if student not in baseline.students:
            text = f"The baseline {baseline.name} has no student {student}: nothing to compare it with."
            checks += [_blind("baseline", text, student)] if gate.students else []
            notes += [] if gate.students else [text]
            continue
        checks += _accuracy_against(record, gate.accuracy, baseline, student, notes)
        checks += _latency_against(record, gate.latency, baseline, student, notes) if timed else []
        checks += _size_against(record, gate.size, baseline, student, notes)
    return checks or [_blind("baseline", f"The baseline {baseline.name} has nothing that is judged here.")]


def _differs(record: Record, baseline: Record) -> str:
    """What keeps two records from being compared; empty if nothing does."""
    ours, theirs = record.task, baseline.task
    if ours.type != theirs.type:
        return f"its task is {theirs.type}, this one {ours.type}"
    if ours.labels != theirs.labels:
        return f"its labels are {_listed(theirs.labels)}; these are {_listed(ours.labels)}"
    if ours.metric != theirs.metric:
        return f"its metric is {words.metric(theirs.metric)}, this one {words.metric(ours.metric)}"
    if record.data.test.sha256 != baseline.data.test.sha256:
        seen, there = record.data.test, baseline.data.test
        return f"its test rows differ ({there.rows}, {there.sha256[:12]}; here {seen.rows}, {seen.sha256[:12]})"
    return ""


def _same_clock(record: Record, baseline: Record, notes: list[str]) -> bool:
    there, here = baseline.machine.machine_class, record.machine.machine_class
    if there == here and record.measure.threads == baseline.measure.threads:
        return True
    other = f"another machine class: {there}, this is {here}"
    if there == here:
        other = f"{baseline.measure.threads} threads, this on {record.measure.threads}"
    notes.append(f"Latency not compared with the baseline: it was measured on {other}.")
    return False


Pair = tuple[Variant, Variant]


def _pairs(
    record: Record, baseline: Record, student: str, name: str, on: str | None, notes: list[str]
) -> Iterator[Check | Pair]:
    """The variants to compare, ours first; a check where one that must be there is not."""
    both = judged(record, student, on) + judged(baseline, student, on)
    for identity in [on] if on else dict.fromkeys(variant.id for variant in both):
        ours, theirs = record.variant(student, identity), baseline.variant(student, identity)
        if ours is None:
            yield _blind(
                name, f"{student} {identity} is asked for or in the baseline, and not here.", student, identity
            )
        elif theirs is None:
            text = f"The baseline {baseline.name} has no {student} {identity}: nothing to compare it with."
            if on:
                yield _blind(name, text, student, identity)
            notes += [] if on else [text]
        else:
            yield ours, theirs


def _accuracy_against(
    record: Record, gate: settings.AccuracyGate, baseline: Record, student: str, notes: list[str]
) -> Iterator[Check]:
    name, metric = "accuracy.max_drop", record.task.metric
    for pair in _pairs(record, baseline, student, name, gate.on, notes):
        if isinstance(pair, Check):
            yield pair
            continue
        variant, before = pair[0], pair[1].metrics.get(metric)
        own = variant.metrics.get(metric)
        if own is None or before is None:
            text = (
                f"{student} {variant.id} has no {words.metric(metric)} {'here' if own is None else 'in the baseline'}."
            )
            yield _blind(name, text, student, variant.id)
            continue
        text = (
            f"{student} {variant.id} has {words.metric(metric)} {words.score(metric, own)}, the baseline "
            f"{words.score(metric, before)}; allowed: a drop of {gate.max_drop:.4g}."
        )
        yield _check(name, variant, before - own, gate.max_drop, before - own <= gate.max_drop + _SLACK, text)


def _latency_against(
    record: Record, gate: settings.LatencyGate, baseline: Record, student: str, notes: list[str]
) -> Iterator[Check]:
    name = "latency.max_ratio"
    for pair in _pairs(record, baseline, student, name, gate.on, notes):
        if isinstance(pair, Check):
            yield pair
            continue
        variant, where = pair[0], shape(record, gate)
        cell, before = variant.cell(*where), pair[1].cell(*where)
        if cell is None or before is None:
            yield _untimed(
                name, variant if cell is None else pair[1], where, "" if cell is None else " in the baseline"
            )
            continue
        text = (
            f"{student} {variant.id} has a median of {milliseconds(cell.p50_ms)}, the baseline "
            f"{milliseconds(before.p50_ms)}; allowed: {words.times(gate.max_ratio)} of it."
        )
        ratio = cell.p50_ms / before.p50_ms
        yield _check(name, variant, ratio, gate.max_ratio, ratio <= gate.max_ratio * (1 + _SLACK), text)


def _size_against(
    record: Record, gate: settings.SizeGate, baseline: Record, student: str, notes: list[str]
) -> Iterator[Check]:
    name = "size.max_ratio"
    for pair in _pairs(record, baseline, student, name, gate.on, notes):
        if isinstance(pair, Check):
            yield pair
            continue
        variant, before = pair[0], pair[1].size_bytes
        text = (
            f"{student} {variant.id} takes {size(variant.size_bytes)}, the baseline {size(before)}; "
            f"allowed: {words.times(gate.max_ratio)} of it."
        )
        ratio = variant.size_bytes / max(1, before)
        yield _check(name, variant, ratio, gate.max_ratio, ratio <= gate.max_ratio * (1 + _SLACK), text)


def _absent(record: Record, name: str, student: str, on: str | None) -> Iterator[Check]:
    """A check that cannot be made because the student has no such variant, or none that is judged."""
    there = _listed(variant.id for variant in record.of(student))
    if on is not None and record.variant(student, on) is None:
        yield _blind(name, f"{student} was not measured as {on}. There: {there}.", student, on)
    elif not judged(record, student, on):
        text = f"{student} has no export to judge: those asked for were dropped or not run here. Measured: {there}."
        yield _blind(name, text, student)


def _untimed(name: str, variant: Variant, where: tuple[int, int], which: str = "") -> Check:
    there = _listed(words.shape(cell.batch, cell.sequence) for cell in variant.latency)
    text = f"{variant.model} {variant.id} was not timed at {words.shape(*where)} tokens{which}. There: {there}."
    return _blind(name, text, variant.model, variant.id)


def _check(name: str, variant: Variant, seen: float, limit: float, holds: bool, sentence: str) -> Check:
    return Check(name, variant.model, variant.id, seen, limit, "pass" if holds else "fail", sentence)


def _blind(name: str, sentence: str, student: str = "", variant: str = "") -> Check:
    return Check(name, student, variant, None, None, "not comparable", sentence)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
