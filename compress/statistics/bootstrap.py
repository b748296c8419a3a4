"""Is any metric, of two models on the same rows, within what may be lost? The paired bootstrap."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.statistics.evidence import NOTHING, POWER, Evidence, Limit

DRAWS = 2000
_LOOPED = 400
"""Draws of a metric that takes no weights."""
_AT_ONCE = 2_000_000
"""Weights in memory at a time."""
_SEED = 0

Answers = Sequence[int] | NDArray[Any]
Metric = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Draws:
    """A metric of two models, on the rows and on draws of them."""

    own: float
    other: float
    rows: int
    apart: float
    """Share of the rows that both answer differently."""
    owns: NDArray[Any]
    """The student's on each draw."""
    others: NDArray[Any]
    """The other's on the same draws."""

    @property
    def difference(self) -> float:
        """The student's less the other's."""
        return self.own - self.other

    def test(self, limit: Limit) -> Evidence:
        """What the rows say of a limit: the share of the draws on its other side."""
        beyond = self.owns - limit.keep * self.others + limit.drop
        draws = len(beyond)
        kept, lost = (1 + (beyond < 0).sum()) / (draws + 1), (1 + (beyond >= 0).sum()) / (draws + 1)
        return Evidence(self.own - limit.keep * self.other + limit.drop, float(kept), float(lost))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Where the difference lies, at each end with that confidence."""
        return _ends(self.owns - self.others, confidence)

    def ratio_interval(self, confidence: float) -> tuple[float, float]:
        """Where the ratio lies, at each end with that confidence; the other's metric is above zero."""
        return _ends(self.owns / np.maximum(self.others, self.other / 100), confidence)

    def rows_needed(self, limit: Limit, confidence: float) -> int | None:
        """The rows at which a student as good as the other passes, and one that lost twice what is allowed fails.

        Both with a probability of four fifths, were the metric to spread as here, and the worse one to differ in as
        many rows more as it lost. None where nothing may be lost.
        """
        allowed = (1 - limit.keep) * self.other + limit.drop
        if allowed < NOTHING:
            return None
        row = float((self.owns - limit.keep * self.others).var()) * self.rows
        row *= 1 + 2 * allowed / max(self.apart, 1 / self.rows)
        quantile = NormalDist().inv_cdf
        return max(1, ceil(((quantile(confidence) + quantile(POWER)) / allowed) ** 2 * row))


def bootstrap(metric: Metric, gold: Answers, student: Answers, other: Answers) -> Draws:
    """A metric of two models on the rows, of which there is one at least, and on draws of as many with replacement.

    Alike rows are drawn together. Each draw is from one row more that the student alone gets right and one more that the
    other does, of any class, so that few rows with the same answers are no proof that all have them.

    Shapes: gold, student, other (n,) -> (draws,) twice
    Units:  the metric's
    Zero:   no spread only without rows
    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, chapters 13 and 16; Koehn 2004, W04-3250, for pairs
    Raises: what the metric raises
    """
    given = np.stack([np.asarray(answers) for answers in (gold, student, other)])
    own, whole = float(metric(given[1], given[0])), float(metric(given[2], given[0]))
    kinds, counts = np.unique(given, axis=1, return_counts=True)
    rows, shares = given.shape[1], counts.astype(float)
    labels, often = np.unique(given[0], return_counts=True)
    wrong = np.roll(labels, 1) if len(labels) > 1 else labels + 1
    kinds = np.concatenate([kinds, [labels, labels, wrong], [labels, wrong, labels]], axis=1)
    shares = np.concatenate([shares, often / rows, often / rows]) / (rows + 2)
    weighted = "weights" in inspect.signature(metric).parameters
    generator, owns, others = np.random.default_rng(_SEED), [], []
    draws = DRAWS if weighted else _LOOPED
    for first in range(0, draws, step := max(1, _AT_ONCE // len(shares))):
        drawn = generator.multinomial(rows, shares, size=min(step, draws - first))
        owns.append(_scores(metric, kinds[1], kinds[0], drawn, weighted=weighted))
        others.append(_scores(metric, kinds[2], kinds[0], drawn, weighted=weighted))
    apart = float((given[1] != given[2]).mean())
    return Draws(own, whole, rows, apart, np.concatenate(owns), np.concatenate(others))


def _scores(metric: Metric, answers: NDArray[Any], gold: NDArray[Any], drawn: NDArray[Any], *, weighted: bool) -> Any:
    if weighted:
        return metric(answers, gold, weights=drawn.astype(float))
    return np.array([metric(np.repeat(answers, times), np.repeat(gold, times)) for times in drawn], dtype=float)


def _ends(values: NDArray[Any], confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [1 - confidence, confidence])
    return float(low), float(high)
