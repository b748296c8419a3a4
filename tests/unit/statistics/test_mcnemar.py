from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr

from compress.statistics.mcnemar import mcnemar


def test_it_is_the_tail_of_the_binomial_distribution():
    assert mcnemar(2, 9) == pytest.approx(sum(comb(11, k) for k in range(3)) / 2**11)
    assert mcnemar(0, 5) == pytest.approx(1 / 32)
    assert mcnemar(5, 0) == 1
    assert mcnemar(0, 0) == 1


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_it_is_scipys(gained, lost):
    assert mcnemar(gained, lost) == pytest.approx(bdtr(gained, gained + lost, 0.5), rel=1e-8, abs=1e-300)
