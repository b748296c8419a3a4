"""Does a student stay close to its teacher?"""

from collections.abc import Iterator

from compress.config import settings
from compress.report import words
from compress.report.gate.check import Check, blind, judged_by
from compress.report.gate.judged import absent, judged
from compress.report.record import Record
from compress.report.variant import Variant
from compress.statistics.estimate import Estimate
from compress.statistics.share_interval import share_interval
from compress.units import percent


def checks(record: Record, gate: settings.FidelityGate, student: str) -> Iterator[Check]:
    """Answers and probabilities beside those of the teacher in PyTorch FP32, each with its 95 % interval."""
    if gate.agreement is not None:
        yield from absent(record, "fidelity.agreement", student, gate.on)
        for variant in judged(record, student, gate.on):
            yield _agreement(record, variant, gate.agreement)
    if gate.kl is not None:
        yield from absent(record, "fidelity.kl", student, gate.on)
        for variant in judged(record, student, gate.on):
            yield _divergence(variant, gate.kl)


def _agreement(record: Record, variant: Variant, limit: float) -> Check:
    name, rows = "fidelity.agreement", record.data.test.rows
    if not rows:
        text = f"{variant.model} {variant.id} cannot be judged: there are no test rows."
        return blind(name, text, variant.model, variant.id)
    low, high = share_interval(round(variant.agreement * rows), rows)
    text = (
        f"{variant.model} {variant.id} answers {percent(variant.agreement)} of {words.plural(rows, 'row', 'rows')} as the "
        f"teacher does ({percent(low)} to {percent(high)} with 95 % confidence); asked: at least {percent(limit)}."
    )
    return judged_by(name, variant, Estimate(variant.agreement, low, high), limit, text, most=False)


def _divergence(variant: Variant, limit: float) -> Check:
    name, seen = "fidelity.kl", variant.divergence
    if seen is None:
        text = f"{variant.model} {variant.id}: how far its probabilities lie from the teacher's was not measured."
        return blind(name, text, variant.model, variant.id)
    text = (
        f"{variant.model} {variant.id} lies {seen.value:.4g} nats from the teacher ({seen.low:.4g} to {seen.high:.4g} "
        f"with 95 % confidence); asked: at most {limit:.4g}."
    )
    return judged_by(name, variant, Estimate(seen.value, seen.low, seen.high), limit, text, most=True)
