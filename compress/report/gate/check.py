"""One thing that the gate asks, and whether it holds."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ConfigDict

from compress.config.group import Closed
from compress.report.variant import Variant
from compress.statistics.estimate import Estimate
from compress.statistics.evidence import Answer

_SLACK = 1e-9  # a limit met exactly must not fail on the last bit of a float


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was asked and whether it holds.

    `name` is the key of the gate that asks (`accuracy.keep`, `latency.p95_ms`, `slices.label`), `baseline` for the
    comparison as a whole. `student` and `variant` are empty where the check is about no single one. `seen`, `limit`
    and the interval from `low` to `high` are None where there is no number. Units: shares, ms, bytes, nats or ratios,
    as the name says.
    """

    __pydantic_config__ = ConfigDict({**Closed.model_config, "use_attribute_docstrings": True})
    name: str
    student: str
    variant: str
    seen: float | None
    limit: float | None
    answer: Answer
    sentence: str
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    """Test rows that the answer rests on."""
    needed: int | None = None
    """Test rows that would be needed to see the allowed drop."""


def judged_by(name: str, variant: Variant, seen: Estimate, limit: float, sentence: str, *, most: bool) -> Check:
    """A check of a number with its interval: `most` says that the limit is the largest allowed, else the smallest.

    An interval beyond the limit fails, one within it passes; where the limit lies inside, nobody can tell.
    """
    slack = _SLACK * abs(limit)
    low, high = (seen.low, seen.high) if most else (-seen.high, -seen.low)
    bound = limit if most else -limit
    answer: Answer = "pass" if high <= bound + slack else "fail" if low > bound + slack else "not comparable"
    return Check(name, variant.model, variant.id, seen.value, limit, answer, sentence, seen.low, seen.high)


def exactly(value: float) -> Estimate:
    """A number taken as it is."""
    return Estimate(value, value, value)


def blind(name: str, sentence: str, student: str = "", variant: str = "") -> Check:
    """A check that cannot be made."""
    return Check(name, student, variant, None, None, "not comparable", sentence)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names) or "nothing"
