"""Is a share of right answers, of two models on the same rows, within what may be lost? The score test."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import copysign, inf, prod, sqrt
from statistics import NormalDist
from typing import NamedTuple

from compress.statistics.evidence import Evidence, Limit
from compress.statistics.mcnemar import mcnemar

_NORMAL = NormalDist()
_STEPS = 48  # halvings of a bracket: as far as floats tell
_LEAST = 1e-12  # a weight that counts as none: all may be lost


class Cells(NamedTuple):
    """How many rows both models get right, the student alone, the other alone, neither."""

    both: float
    gained: float
    lost: float
    neither: float

    @property
    def rows(self) -> float:
        """All of them."""
        return sum(self)

    @property
    def own(self) -> float:
        """The student's share of right answers."""
        return (self.both + self.gained) / self.rows

    @property
    def other(self) -> float:
        """The other's share of right answers."""
        return (self.both + self.lost) / self.rows

    @property
    def difference(self) -> float:
        """The student's share of right answers less the other's."""
        return (self.gained - self.lost) / self.rows

    def test(self, limit: Limit) -> Evidence:
        """What the rows say of a limit: the score test, and where nothing may be lost the exact test of McNemar.

        More is only shown to be lost where McNemar's shows a loss at all: whatever the number of rows, a model that is
        as good as the other is not failed more often than the confidence allows.
        """
        worse = mcnemar(int(self.gained), int(self.lost))
        if limit == Limit():
            return Evidence(self.difference, mcnemar(int(self.lost), int(self.gained)), worse)
        below = _NORMAL.cdf(score(self, limit))
        return Evidence(_mean(self, limit), 1 - below, max(below, worse))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Where the difference of the shares lies, at each end with that confidence."""
        return _interval(self, confidence)

    def ratio_interval(self, confidence: float) -> tuple[float, float]:
        """Where the ratio of the shares lies, at each end with that confidence; the other has a right answer at least."""
        low, high = _ends(lambda part: score(self, Limit(keep=part / (1 - part))), 0, 1, confidence)
        return low / (1 - low), high / (1 - high)


def cells(gold: Sequence[int], student: Sequence[int], other: Sequence[int]) -> Cells:
    """The rows counted by which of both models answers them rightly."""
    kinds = [0, 0, 0, 0]
    for right, own, there in zip(gold, student, other, strict=True):
        kinds[2 * (own != right) + (there != right)] += 1
    return Cells(*kinds)


def score(rows: Cells, limit: Limit) -> float:
    """How many standard errors the student lies above the limit, were it right at the limit.

    A row weighs one if the student is right, less `keep` if the other is, and `drop` more. The error is that of the
    mean weight under the most likely shares of the four cells at which it is zero. With `keep` one it is the test of
    a difference by Tango, with `drop` zero that of a ratio by Tang, Tang and Chan.

    Shapes: (4,) -> a number
    Units:  standard errors
    Zero:   at the limit
    Source: Tango 1998, Statistics in Medicine 17, Equivalence test and confidence interval for the difference in
            proportions for the paired-sample design; Tang, Tang and Chan 2003, Statistics in Medicine 22, On tests of
            equivalence via non-unity relative risk for matched-pair design
    """
    mean = _mean(rows, limit)
    if mean > 0 and min(weight for _, weight in _groups(rows, limit)) > -_LEAST:
        return inf  # no answers whatever lie below the limit
    error = sqrt(spread(rows, limit) / rows.rows)
    return mean / error if error else 0.0


def spread(rows: Cells, limit: Limit) -> float:
    """The variance of a row's weight under the most likely shares of the cells at which the weights' mean is zero.

    Shapes: (4,) -> a number
    Units:  weight squared
    Zero:   when no row has a weight
    Source: as `score`; the shares are n / (N (1 + tilt * weight)), and what lacks to one is in the most extreme cell
    """
    (first, second, third), mean = _groups(rows, limit), _mean(rows, limit)
    weights = (first[1], second[1], third[1])
    end = min(weights) if mean > 0 else max(weights)
    if abs(end) < _LEAST:
        return sum(count * weight**2 for count, weight in (first, second, third)) / rows.rows
    tilt = _tilt(
        sum(count for count, _ in (first, second, third)) * prod(weights),
        sum(count * weight * (sum(weights) - weight) for count, weight in (first, second, third)),
        rows.rows * mean,
        -1 / end,
    )
    # the extreme cell's share is whatever makes the mean zero, so that it need not be computed
    inner = [(count, weight) for count, weight in (first, second, third) if count and weight != end]
    return sum(count * weight * (weight - end) / (1 + tilt * weight) for count, weight in inner) / rows.rows


def _tilt(squared: float, plain: float, constant: float, far: float) -> float:
    """The root of a quadratic that is next to zero on the way to `far`; `far` if none lies there."""
    middle = -(plain + copysign(sqrt(max(0.0, plain**2 - 4 * squared * constant)), plain)) / 2
    roots = [middle / squared if squared else far, constant / middle if middle else far]
    return min((root for root in roots if 0 <= root / far < 1), key=abs, default=far)


def _groups(rows: Cells, limit: Limit) -> tuple[tuple[float, float], ...]:
    """The counts of the rows of each weight but zero, and that weight."""
    keep, drop = limit
    if keep == 1:
        return (rows.both + rows.neither, drop), (rows.gained, 1 + drop), (rows.lost, drop - 1)
    return (rows.both, 1 - keep), (rows.gained, 1.0), (rows.lost, -keep)


def _mean(rows: Cells, limit: Limit) -> float:
    return sum(count * weight for count, weight in _groups(rows, limit)) / rows.rows


@lru_cache(maxsize=4096)
def _interval(rows: Cells, confidence: float) -> tuple[float, float]:
    return _ends(lambda difference: score(rows, Limit(drop=-difference)), -1, 1, confidence)


def _ends(score_at: Callable[[float], float], least: float, most: float, confidence: float) -> tuple[float, float]:
    """Where a falling score has the quantiles of the normal distribution."""
    ends = []
    for bound in (_NORMAL.inv_cdf(confidence), -_NORMAL.inv_cdf(confidence)):
        low, high = least, most
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if score_at(middle) > bound else (low, middle)
        ends.append((low + high) / 2)
    return ends[0], ends[1]
