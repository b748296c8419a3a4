"""Is anything worse than in a baseline report, beyond what the gate allows?"""

from collections.abc import Iterator

from compress.config import settings
from compress.report import words
from compress.report.gate import accuracy, latency, size
from compress.report.gate.check import Check, blind, listed
from compress.report.record import Record


def against(record: Record, gate: settings.Gate, baseline: Record) -> Iterator[Check | str]:
    """Every check against a baseline, and notes on what cannot be compared."""
    differs = difference(record, baseline)
    if differs:
        yield blind("baseline", f"The baseline {baseline.name} is not comparable: {differs}.")
        return
    clock = latency.clock(record, gate.latency, baseline)
    if clock:
        yield f"Latency not compared with the baseline: {clock}."
    made = 0
    for student in gate.students or tuple(dict.fromkeys(record.students + baseline.students)):
        for found in _student(record, gate, baseline, student, timed=not clock):
            made += isinstance(found, Check)
            yield found
    if not made:
        yield blind("baseline", f"The baseline {baseline.name} has nothing that is judged here.")


def _student(
    record: Record, gate: settings.Gate, baseline: Record, student: str, *, timed: bool
) -> Iterator[Check | str]:
    if student not in record.students:
        if student in baseline.students:
            yield blind("baseline", f"The student {student} of the baseline {baseline.name} is not here.", student)
    elif student not in baseline.students:
        text = f"The baseline {baseline.name} has no student {student}: nothing to compare it with."
        yield blind("baseline", text, student) if gate.students else text
    else:
        yield from accuracy.against(record, gate.accuracy, baseline, student)
        if timed:
            yield from latency.against(record, gate.latency, baseline, student)
        yield from size.against(record, gate.size, baseline, student)


def difference(record: Record, baseline: Record) -> str:
    """What keeps two records from being compared; empty if nothing does."""
    ours, theirs = record.task, baseline.task
    if ours.type != theirs.type:
        return f"its task is {theirs.type}, this one {ours.type}"
    if ours.labels != theirs.labels:
        return f"its labels are {listed(theirs.labels)}; these are {listed(ours.labels)}"
    if ours.metric != theirs.metric:
        return f"its metric is {words.metric(theirs.metric)}, this one {words.metric(ours.metric)}"
    if record.data.test.sha256 != baseline.data.test.sha256:
        seen, there = record.data.test, baseline.data.test
        return f"its test rows differ ({there.rows}, {there.sha256[:12]}; here {seen.rows}, {seen.sha256[:12]})"
    if record.gold != baseline.gold:
        return "its test rows have the same digest and other labels"
    return ""
