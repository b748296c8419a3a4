"""What the gate asked and what it saw, with a mark for each answer."""

from collections.abc import Callable

from compress import units
from compress.report import words
from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict
from compress.report.pages.tables.table import NONE, Column, Table, export
from compress.report.record import Record
from compress.report.variant import Variant
from compress.statistics.evidence import Answer

MARKS: dict[Answer, str] = {"pass": "✓", "fail": "✗", "not comparable": "?"}
WORDS: dict[Answer, str] = {"pass": "Pass", "fail": "Fail", "not comparable": "Not comparable"}


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


_SEEN: dict[str, tuple[str, Callable[[float], str], str]] = {
    "accuracy.keep": ("kept", units.percent, "≥"),
    "fidelity.agreement": ("answers as the teacher", units.percent, "≥"),
    "fidelity.kl": ("divergence (nats)", "{:.3g}".format, "≤"),
    "calibration.ece": ("calibration error", units.percent, "≤"),
    "latency.p50_ms": ("p50", units.milliseconds, "≤"),
    "latency.p95_ms": ("p95", units.milliseconds, "≤"),
    "latency.speedup": ("speed-up", words.times, "≥"),
    "size.max_mb": ("size", units.size, "≤"),
    "accuracy.max_drop": ("drop since baseline", _signed, "≤"),
    "latency.max_ratio": ("p50 to baseline", words.times, "≤"),
    "size.max_ratio": ("size to baseline", words.times, "≤"),
}


def _kind(name: str) -> tuple[str, Callable[[float], str], str]:
    """What a check is called in the head of a column, how its numbers are written, and the sign before its limit."""
    by = name.removeprefix("slices.")
    return (
        _SEEN.get(name, (name, "{:.4g}".format, "≤"))
        if by == name
        else (f"worst loss by {by}, points", words.points, "≤")
    )


def table(record: Record, verdict: Verdict) -> Table:
    """A row for each judged variant, a column for each thing asked, with its limit; empty without such checks.

    Of several checks with one name and limit (two slicings by length) the worst is shown.
    """
    checks = worst_last(verdict)
    asked = {(check.name, check.limit): check.limit for check in verdict.checks if check.limit is not None}
    keys = sorted(asked, key=lambda key: list(_SEEN).index(key[0]) if key[0] in _SEEN else len(_SEEN))
    columns = [Column("model"), Column("export")]
    for key in keys:
        word, written, sign = _kind(key[0])
        word = f"{words.metric(record.task.metric)} kept" if key[0] == "accuracy.keep" else word
        columns.append(Column(f"{word} {sign} {written(asked[key]).lstrip('+')}", numeric=True))
    rows = []
    for variant in record.variants:
        found = {(check.name, check.limit): check for check in checks if _about(check, variant)}
        if found:
            rows.append((variant.model, export(variant), *(_answer(found.get(key)) for key in keys)))
    return Table(tuple(columns), tuple(rows), keys=2)


def _about(check: Check, variant: Variant) -> bool:
    return (check.student, check.variant) == (variant.model, variant.id)


def _answer(check: Check | None) -> str:
    if check is None:
        return NONE
    mark = MARKS[check.answer]
    return mark if check.seen is None else f"{_kind(check.name)[1](check.seen)} {mark}"


def troubles(verdict: Verdict) -> list[Check]:
    """The checks that do not pass, failures first."""
    return [check for answer in ("fail", "not comparable") for check in verdict.checks if check.answer == answer]


def worst_last(verdict: Verdict) -> list[Check]:
    """All checks, so that where one name stands for several the worst answer is the last."""
    return sorted(verdict.checks, key=lambda check: ("pass", "not comparable", "fail").index(check.answer))
