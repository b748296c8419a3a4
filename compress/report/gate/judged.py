"""Which variants of a student a part of the gate is about."""

from collections.abc import Iterator

from compress.report.gate.check import Check, blind, listed
from compress.report.gate.trade import dropped, trades
from compress.report.record import Record
from compress.report.variant import REFERENCE, Variant

Pair = tuple[Variant, Variant]


def judged(record: Record, student: str, on: str | None) -> tuple[Variant, ...]:
    """The variants of a student that a part of the gate is about."""
    variants = record.of(student)
    if on is not None:
        return tuple(variant for variant in variants if variant.id == on)
    gone = {(trade.variant.model, trade.variant.id) for trade in trades(record) if dropped(trade)}
    asked = tuple(variant for variant in variants if variant.asked and (variant.model, variant.id) not in gone)
    return tuple(variant for variant in asked if variant.id != REFERENCE) or asked


def absent(record: Record, name: str, student: str, on: str | None) -> Iterator[Check]:
    """A check that cannot be made because the student has no such variant, or none that is judged."""
    there = listed(variant.id for variant in record.of(student))
    if on is not None and record.variant(student, on) is None:
        yield blind(name, f"{student} was not measured as {on}. There: {there}.", student, on)
    elif not judged(record, student, on):
        text = f"{student} has no export to judge: those asked for were dropped or not run here. Measured: {there}."
        yield blind(name, text, student)


def pairs(record: Record, baseline: Record, student: str, name: str, on: str | None) -> Iterator[Pair | Check | str]:
    """The variants to compare with a baseline's, ours first; a check or a note where one of both is missing."""
    both = judged(record, student, on) + judged(baseline, student, on)
    for identity in [on] if on else dict.fromkeys(variant.id for variant in both):
        ours, theirs = record.variant(student, identity), baseline.variant(student, identity)
        if ours is None:
            text = f"{student} {identity} is asked for or in the baseline, and not here."
            yield blind(name, text, student, identity)
        elif theirs is None:
            text = f"The baseline {baseline.name} has no {student} {identity}: nothing to compare it with."
            yield blind(name, text, student, identity) if on else text
        else:
            yield ours, theirs
