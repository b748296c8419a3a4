"""Does a student's confidence fit its accuracy?"""

from collections.abc import Iterator

from compress.config import settings
from compress.report.gate.check import Check, blind, judged_by
from compress.report.gate.judged import absent, judged
from compress.report.record import Record
from compress.statistics.estimate import Estimate
from compress.units import percent


def checks(record: Record, gate: settings.CalibrationGate, student: str) -> Iterator[Check]:
    """Expected calibration errors, each with its 95 % interval."""
    if gate.ece is None:
        return
    name = "calibration.ece"
    yield from absent(record, name, student, gate.on)
    for variant in judged(record, student, gate.on):
        seen = variant.calibration_error
        if seen is None:
            text = f"{student} {variant.id}: how well its confidence fits its accuracy was not measured."
            yield blind(name, text, student, variant.id)
            continue
        text = (
            f"{student} {variant.id} has an expected calibration error of {percent(seen.value)} ({percent(seen.low)} to "
            f"{percent(seen.high)} with 95 % confidence); asked: at most {percent(gate.ece)}."
        )
        yield judged_by(name, variant, Estimate(seen.value, seen.low, seen.high), gate.ece, text, most=True)
