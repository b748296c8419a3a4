"""How many rows a test of two models needs."""

from math import ceil, sqrt
from statistics import NormalDist

from compress.statistics.evidence import NOTHING, POWER, Limit
from compress.statistics.paired import Cells, spread


def rows_needed(seen: Cells, limit: Limit, confidence: float) -> int | None:
    """The rows at which a student as good as the other model passes, and one that lost twice what is allowed fails.

    Both with a probability of four fifths, for models that differ in as many rows as those seen, half a row more of each
    kind, the worse one in those that it lost besides. None where nothing may be lost: no number would show that.

    Shapes: (4,) -> a number
    Units:  rows
    Zero:   never below one
    Source: Liu et al. 2002, Statistics in Medicine 21, Tests for equivalence or non-inferiority for paired binary data,
            section 3, with both variances as under the model in question
    """
    both, gained, lost, _ = (count + 0.5 for count in seen)
    rows = seen.rows + 2
    right, apart = (both + lost) / rows, (gained + lost) / rows
    allowed = (1 - limit.keep) * right + limit.drop
    if allowed < NOTHING:
        return None
    return max(_rows(_shares(right, apart, drop), limit, confidence) for drop in (0.0, 2 * allowed))


def _shares(right: float, apart: float, drop: float) -> Cells:
    """The cells of a model that differs from one that gets so many rows right in `apart` rows, and lost `drop` besides."""
    gained = min(apart / 2, 1 - right)
    lost = min(gained + drop, right)
    return Cells(right - lost, gained, lost, 1 - right - gained)


def _rows(shares: Cells, limit: Limit, confidence: float) -> int:
    weights = (1 - limit.keep + limit.drop, 1 + limit.drop, limit.drop - limit.keep, limit.drop)
    mean = sum(share * weight for share, weight in zip(shares, weights, strict=True))
    own = sum(share * (weight - mean) ** 2 for share, weight in zip(shares, weights, strict=True))
    quantile = NormalDist().inv_cdf
    width = quantile(confidence) * sqrt(spread(shares, limit)) + quantile(POWER) * sqrt(own)
    return max(1, ceil((width / mean) ** 2)) if mean else 1
