from math import comb

import pytest

from compress.statistics.mcnemar import mcnemar


def test_it_is_the_tail_of_the_binomial_distribution():
    assert mcnemar(2, 9) == pytest.approx(sum(comb(11, k) for k in range(3)) / 2**11)
    assert mcnemar(0, 5) == pytest.approx(1 / 32)
    assert mcnemar(5, 0) == 1
    assert mcnemar(0, 0) == 1
