import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.statistics.mean import mean


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_it_is_the_mean_and_lies_within(values: list[float]) -> None:
    found = mean(values)
    assert found.value == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert found.low <= found.high


def test_without_skewness_it_is_the_usual_interval() -> None:
    values = numpy.array([-3.0, -1, 1, 3] * 25)
    half = 1.959964 * values.std(ddof=1) / 10
    assert mean(values + 5) == pytest.approx((5, 5 - half, 5 + half))
    nearly = mean(numpy.concatenate([values, values, [1e-3]]))
    assert nearly.high - nearly.value == pytest.approx(nearly.value - nearly.low, rel=1e-3)


def test_equal_values_leave_no_doubt() -> None:
    assert mean([0.1] * 7) == pytest.approx((0.1, 0.1, 0.1), abs=1e-15)
    assert mean([2.5]) == (2.5, 2.5, 2.5)
    with pytest.raises(CompressError, match="no values"):
        mean([])


def test_it_holds_the_mean_of_a_long_tail_more_often_than_a_symmetric_one() -> None:
    """2.5 % of the intervals should end below the mean of a lognormal distribution."""
    samples, true = numpy.random.default_rng(0).lognormal(0, 1, (1000, 200)), numpy.exp(0.5)
    below = numpy.mean([mean(values).high < true for values in samples])
    above = numpy.mean([mean(values).low > true for values in samples])
    symmetric = numpy.mean(samples.mean(1) + 1.96 * samples.std(1, ddof=1) / 200**0.5 < true)
    assert symmetric > 0.05
    assert below < 0.04
    assert above < 0.04
