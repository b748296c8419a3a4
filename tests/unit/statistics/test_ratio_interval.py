import pytest

from compress.statistics.ratio_interval import ratio_interval


def test_both_widths_count():
    low, high = ratio_interval((2, 1.8, 2.2), (1, 1, 1))
    assert (low, high) == pytest.approx((1.8, 2.2))
    assert ratio_interval((1, 1, 1), (2, 1.8, 2.2)) == pytest.approx((1 / 2.2, 1 / 1.8))
    low, high = ratio_interval((2, 1.8, 2.2), (1, 0.9, 1.1))
    assert low < 1.8
    assert high > 2.2
    assert low > 1.8 / 1.1


def test_numbers_without_an_interval_have_an_exact_ratio():
    assert ratio_interval((3, 3, 3), (2, 2, 2)) == pytest.approx((1.5, 1.5))
