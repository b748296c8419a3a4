"""The interval of a ratio of two numbers that have intervals of their own."""

from math import exp, hypot, log

Bounded = tuple[float, float, float]
"""A number above zero, and the low and the high end of its interval."""


def ratio_interval(top: Bounded, bottom: Bounded) -> tuple[float, float]:
    """Where the ratio of two independent numbers lies, at the level of their own intervals.

    Shapes: (value, low, high), (value, low, high) -> (low, high)
    Units:  those of top over those of bottom
    Zero:   no width when neither number's interval has any
    Source: Donner and Zou 2012, doi:10.1177/0962280210383082 (MOVER), on logarithms
    Raises: ValueError if a number or an end is not above zero
    """
    down = hypot(log(top[0] / top[1]), log(bottom[2] / bottom[0]))
    up = hypot(log(top[2] / top[0]), log(bottom[0] / bottom[1]))
    return top[0] / bottom[0] * exp(-down), top[0] / bottom[0] * exp(up)
