"""Is a file small enough?"""

from collections.abc import Iterator

from compress.config import settings
from compress.report import words
from compress.report.gate.check import Check, exactly, judged_by
from compress.report.gate.judged import absent, judged, pairs
from compress.report.record import Record
from compress.units import size


def limits(record: Record, gate: settings.SizeGate, student: str) -> Iterator[Check]:
    """Sizes against the largest allowed."""
    if gate.max_mb is None:
        return
    name, limit = "size.max_mb", gate.max_mb * 1e6
    yield from absent(record, name, student, gate.on)
    for variant in judged(record, student, gate.on):
        text = f"{student} {variant.id} takes {size(variant.size_bytes)}; asked: at most {size(limit)}."
        yield judged_by(name, variant, exactly(variant.size_bytes), limit, text, most=True)


def against(record: Record, gate: settings.SizeGate, baseline: Record, student: str) -> Iterator[Check | str]:
    """Sizes against the baseline's."""
    name = "size.max_ratio"
    for pair in pairs(record, baseline, student, name, gate.on):
        if not isinstance(pair, tuple):
            yield pair
            continue
        variant, before = pair[0], pair[1].size_bytes
        text = (
            f"{student} {variant.id} takes {size(variant.size_bytes)}, the baseline {size(before)}; "
            f"allowed: {words.times(gate.max_ratio)} of it."
        )
        ratio = exactly(variant.size_bytes / max(1, before))
        yield judged_by(name, variant, ratio, gate.max_ratio, text, most=True)
