import pytest

from compress.statistics.share_interval import share_interval


@pytest.mark.parametrize(
    ("count", "rows", "interval"),
    [(0, 10, (0, 0.3085)), (10, 10, (0.6915, 1)), (5, 10, (0.1871, 0.8129)), (1, 1, (0.025, 1))],
)
def test_known_intervals(count, rows, interval):
    assert share_interval(count, rows) == pytest.approx(interval, abs=1e-4)


def test_a_lower_level_is_narrower():
    assert share_interval(50, 100, 0.9)[0] > share_interval(50, 100, 0.95)[0]
