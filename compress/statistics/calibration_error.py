"""How far a model's confidence lies from its accuracy."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from compress.errors import CompressError, ShapeMismatch
from compress.statistics.estimate import Estimate
from compress.statistics.share_interval import share_interval

BINS = 15
"""As many as Guo et al. take."""
_DRAWS = 1000


def calibration_error(logits: NDArray[np.floating], labels: NDArray[np.integer], *, seed: int) -> Estimate:
    """Expected calibration error: how far the probability of the top answer lies from the share of right ones.

    Rows are parted by that probability into 15 bins of equal width, (0, 1/15] … (14/15, 1]; of each bin the gap of mean
    confidence and accuracy counts by its share of the rows. The number is that of the given rows, to compare with others'. Few
    rows make it too large: chance leaves a gap in every bin. Of the 95 % interval, the low end therefore takes off as much as the
    bins move in all, in rows drawn anew or in right answers drawn by their confidences, whichever is more, so that a model that
    fits seldom lies above zero; or it takes off the gap of all rows as much as that moves, where this leaves more. The high end
    is the pivotal one; it is never below the number, nor below what the accuracy that so many right answers leave open comes to,
    though all are right.

    Shapes: logits (n, classes), labels (n,) class numbers -> a number with its interval
    Units:  share, from 0 to 1
    Zero:   when in every bin the share of right answers is the mean confidence
    Source: Guo et al. 2017, arXiv:1706.04599, equation 3; Davison and Hinkley 1997, doi:10.1017/CBO9780511802843, equation 5.6
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    if len(logits) != len(labels):
        raise ShapeMismatch("calibration_error", labels.shape, logits.shape)
    if not len(labels):
        raise CompressError("calibration_error: there are no rows.")
    confidence = np.minimum(softmax(np.asarray(logits, np.float64), axis=-1).max(-1), 1.0)
    right = logits.argmax(-1) == labels
    gaps = confidence - right
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1), confidence) - 1
    generator, count = np.random.default_rng(seed), len(gaps)
    sums = np.bincount(bins, gaps, BINS)
    moved, chance = np.empty((_DRAWS, BINS)), np.empty((_DRAWS, BINS))
    for draw in range(_DRAWS):
        rows = generator.integers(0, count, count)
        moved[draw] = np.bincount(bins[rows], gaps[rows], BINS) - sums
        chance[draw] = np.bincount(bins, confidence - (generator.random(count) < confidence), BINS)
    value = float(np.abs(sums).sum()) / count
    apart = value - max(_most(moved, count), _most(chance, count))
    whole = abs(float(sums.sum())) / count - max(_most(of.sum(1, keepdims=True), count) for of in (moved, chance))
    high = 2 * value - float(np.quantile(np.abs(sums + moved).sum(1), 0.025)) / count
    least = max(abs(float(confidence.mean()) - end) for end in share_interval(int(right.sum()), count))
    return Estimate(value, max(apart, whole, 0.0), min(max(high, value, least), 1.0))


def _most(moved: NDArray[np.float64], count: int) -> float:
    """How far sums of gaps move in all, a row, but in one of 40 draws: (draws, sums) -> a share"""
    return float(np.quantile(np.abs(moved).sum(1), 0.975)) / count
