"""A number and how far it is to be trusted."""

from typing import NamedTuple


class Estimate(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float
