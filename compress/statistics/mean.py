"""The mean of numbers that scatter to one side."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from compress.errors import CompressError
from compress.statistics.estimate import Estimate

_Z = float(ndtri(0.975))
_NONE = 1e-9
"""A skewness below which there is none to take away."""


def mean(values: NDArray[np.float64] | Sequence[float]) -> Estimate:
    """The mean, and its 95 % interval by Hall's transformation, which takes the skewness out of Student's ratio.

    Numbers such as divergences are small for most rows and large for few: an interval as wide above the mean as below it
    ends too low.

    Shapes: values (n,) -> a number with its interval
    Zero:   an interval without a width when all values are equal
    Source: Hall 1992, doi:10.1111/j.2517-6161.1992.tb01872.x
    Raises: CompressError if there are no values
    """
    given = np.asarray(values, np.float64)
    count = len(given)
    if not count:
        raise CompressError("mean: there are no values.")
    middle, spread = float(given.mean()), float(given.std())
    if count == 1 or spread <= 1e-12 * abs(middle):
        return Estimate(middle, middle, middle)
    skewness = float(((given - middle) ** 3).mean()) / spread**3
    spread *= math.sqrt(count / (count - 1))
    ends = [middle - spread * _without(skewness, z / math.sqrt(count), count) for z in (_Z, -_Z)]
    return Estimate(middle, *ends)


def _without(skewness: float, ratio: float, count: int) -> float:
    """The value of Student's ratio, over the root of the count, that the transformation takes to `ratio`."""
    if abs(skewness) < _NONE:
        return ratio
    return 3 / skewness * (math.cbrt(1 + skewness * (ratio - skewness / (6 * count))) - 1)
