"""Numbers that move while a student learns."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from compress.config.group import Closed


class Schedule(Closed):
    """A number that moves from one value to another over the steps of a training."""

    from_: Annotated[float, Field(ge=0, alias="from")]
    """Its value at the first step."""
    to: Annotated[float, Field(ge=0)]
    """Its value at the last step."""
    shape: Literal["linear", "cosine"] = "linear"
    """Straight, or slow at both ends."""

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.from_ == self.to:
            raise ValueError(f"`from` and `to` are both {self.to:g}. Give two values, or the number alone")
        return self

    def at(self, share: float) -> float:
        """Its value after a share of the steps, from 0 at the first to 1 at the last."""
        moved = share if self.shape == "linear" else (1 - math.cos(math.pi * share)) / 2
        return self.from_ + (self.to - self.from_) * moved


def value(setting: Any, share: float) -> Any:
    """A setting after a share of the steps: where a schedule is by then, anything else as it is."""
    return setting.at(share) if isinstance(setting, Schedule) else setting


def _kind(given: Any) -> str:
    return "(schedule)" if isinstance(given, dict | Schedule) else "(number)"


def _above_zero(schedule: Schedule) -> Schedule:
    if min(schedule.from_, schedule.to) <= 0:
        raise ValueError("a temperature stays above 0. Give `from` and `to` above 0")
    return schedule


_Number = Annotated[float, Field(gt=0), Tag("(number)")]
Weight = Annotated[_Number | Annotated[Schedule, Tag("(schedule)")], Discriminator(_kind)]
"""A loss's weight: above 0, or moving, to 0 or from it too."""
Temperature = Annotated[
    _Number | Annotated[Schedule, AfterValidator(_above_zero), Tag("(schedule)")], Discriminator(_kind)
]
"""Above 0, also where it moves."""
