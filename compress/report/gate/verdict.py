"""Does the run hold what its gate asks for? Pure: a record, a gate and perhaps a baseline in, an answer out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compress.config import settings
from compress.report import goal, words
from compress.report.gate import accuracy, baseline, calibration, fidelity, latency, size, slices, trade
from compress.report.gate.check import Check, blind, listed
from compress.report.gate.collapse import collapsed
from compress.report.record import Record
from compress.report.variant import TEACHER
from compress.statistics.evidence import Answer
from compress.units import size as written

_EXIT: dict[Answer, int] = {"pass": 0, "fail": 1, "not comparable": 3}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to the whole gate, its checks, and notes: what a reader should know that decides nothing.

    `regressions` names the lower precisions that are slower or worse than the plain one of the same runtime, and how;
    `collapsed` the models that give every row the same answer.
    """

    answer: Answer
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()
    collapsed: tuple[str, ...] = ()

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
        failed, unsure = counts["fail"], counts["not comparable"]
        parts = [f"{failed} {'fails' if failed == 1 else 'fail'}"] if failed else []
        parts += [f"{unsure} {'is' if unsure == 1 else 'are'} not comparable"] if unsure else []
        return f"Of {words.plural(len(self.checks), 'check', 'checks')}, {' and '.join(parts)}."

    @property
    def headline(self) -> str:
        """The answer, which models have collapsed, and which lower precisions don't pay."""
        gone = [f"Collapsed: {'; '.join(self.collapsed)}."] if self.collapsed else []
        lost = [f"Slower or worse than plain: {'; '.join(self.regressions)}."] if self.regressions else []
        return " ".join([self.sentence, *gone, *lost])


def judge(record: Record, gate: settings.Gate, before: Record | None = None) -> Verdict:
    """Judge a record by a gate, and against a baseline if there is one.

    Judged are the exports of the gate's students (or of all): those named by `on`, else every one that was asked for and
    not dropped, but the student in PyTorch FP32, which counts only where there is no other. Where none of them is left,
    there is nothing to compare. A better number never fails, a worse one never turns a fail into a pass, and what rows or
    rounds are too few to tell is not comparable. The whole is a fail if a check fails, else not comparable if one cannot
    be made, else a pass.
    """
    found = list(_parts(record, gate, before))
    checks = tuple(one for one in found if isinstance(one, Check))
    answers = {check.answer for check in checks}
    answer: Answer = "fail" if "fail" in answers else "not comparable" if "not comparable" in answers else "pass"
    notes = dict.fromkeys(one for one in found if isinstance(one, str))
    return Verdict(answer, checks, tuple(notes), trade.faults(record), collapsed(record))


def _parts(record: Record, gate: settings.Gate, before: Record | None) -> Iterator[Check | str]:
    """Every check, and notes between them."""
    built = dict.fromkeys([*record.students, *(one.model for one in record.unmeasured if one.model != TEACHER)])
    students = [name for name in gate.students or built if name in built]
    for name in gate.students or ():
        if name not in students:
            text = f"The gate names the student {name}, which is not here. Here: {listed(built)}."
            yield blind("students", text, name)
    comparable = None if before is None or baseline.difference(record, before) else before
    for student in students:
        yield from accuracy.kept(record, gate.accuracy, student)
        yield from slices.checks(record, gate.slices, student, gate.accuracy.confidence, comparable)
        yield from fidelity.checks(record, gate.fidelity, student)
        yield from calibration.checks(record, gate.calibration, student)
        yield from latency.limits(record, gate.latency, student)
        yield from size.limits(record, gate.size, student)
    yield from trade.regressions(record, students)
    yield from _notes(record, students)
    if before is not None:
        yield from baseline.against(record, gate, before)
    elif gate.baseline is not None:
        yield blind("baseline", f"The baseline {gate.baseline} is not there.")


def _notes(record: Record, students: Iterable[str]) -> Iterator[str]:
    """Cuts that ended too far from their target, and exports that could not be run here."""
    for student in students:
        cut = record.structures.get(student)
        if cut is not None and cut.target is not None and cut.target.missed:
            yield f"{student}: {goal.sentence(cut.target)}"
    for built in record.unmeasured:
        if built.model in students:
            yield f"{built.model} {built.id} was built ({written(built.size_bytes)}) and not run here: {built.reason}"
