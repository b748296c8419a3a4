"""What test rows say of a limit."""

from typing import Literal, NamedTuple

POWER = 0.8
"""How likely the number of rows that is recommended gives an answer."""

Answer = Literal["pass", "fail", "not comparable"]


class Limit(NamedTuple):
    """What must be left: the student's metric is at least `keep` times the other model's, or that less `drop`; not both."""

    keep: float = 1.0
    drop: float = 0.0


class Evidence(NamedTuple):
    """Two one-sided p-values, and how far the metric lies above the limit on the rows seen."""

    above: float
    """Negative below the limit."""
    kept: float
    """Small where the rows show that no more is lost than the limit allows."""
    lost: float
    """Small where the rows show that more is lost."""

    def answer(self, confidence: float) -> Answer:
        """Shown to hold, shown not to hold, or neither. With a confidence of 0.5 the metric is taken as it is.

        A metric at the limit or above never fails, one below it never passes.
        """
        taken, error = confidence <= 0.5, 1 - confidence + _SLACK
        if self.above >= -_SLACK:
            return "pass" if taken or self.kept <= error else "not comparable"
        return "fail" if taken or self.lost <= error else "not comparable"


NOTHING = 1e-6
"""A loss that counts as none: no number of rows would show that no more is lost."""
_SLACK = 1e-9  # a limit met exactly must not fail on the last bit of a float
