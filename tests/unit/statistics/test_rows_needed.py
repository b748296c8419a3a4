import numpy as np
import pytest

from compress.statistics.evidence import Limit
from compress.statistics.paired import Cells
from compress.statistics.rows_needed import rows_needed

CONFIDENCE = 0.95


@pytest.mark.parametrize("limit", [Limit(drop=0.02), Limit(keep=0.97)])
@pytest.mark.parametrize("apart", [0.02, 0.1])
def test_with_so_many_rows_four_of_five_models_get_an_answer(limit, apart):
    right, allowed = 0.9, (1 - limit.keep) * 0.9 + limit.drop
    seen = Cells(*(10_000 * share for share in (right - apart / 2, apart / 2, apart / 2, 1 - right - apart / 2)))
    rows = rows_needed(seen, limit, CONFIDENCE)
    generator = np.random.default_rng(0)
    for drop, expected in ((0, "pass"), (2 * allowed, "fail")):
        shares = [right - apart / 2 - drop, apart / 2, apart / 2 + drop, 1 - right - apart / 2]
        drawn = generator.multinomial(rows, shares, size=1000)
        found = [Cells(*cells).test(limit).answer(CONFIDENCE) for cells in drawn.tolist()]
        assert found.count(expected) > 770


def test_more_that_differ_and_less_that_may_be_lost_take_more_rows():
    def needed(apart, drop):
        return rows_needed(Cells(900 - apart, apart, apart, 100 - apart), Limit(drop=drop), CONFIDENCE)

    assert needed(0, 0.01) < needed(20, 0.01) < needed(60, 0.01)
    assert needed(20, 0.1) < needed(20, 0.02) < needed(20, 0.01)
    assert rows_needed(Cells(900, 20, 20, 60), Limit(drop=0.01), 0.99) > needed(20, 0.01)


@pytest.mark.parametrize("limit", [Limit(), Limit(drop=1e-290), Limit(keep=1 - 1e-12)])
def test_no_number_of_rows_shows_that_nothing_is_lost(limit):
    assert rows_needed(Cells(90, 2, 2, 6), limit, CONFIDENCE) is None


@pytest.mark.parametrize("cells", [(0, 0, 0, 5), (0, 5, 0, 0), (0, 0, 5, 0), (5, 0, 0, 0)])
@pytest.mark.parametrize("limit", [Limit(drop=1), Limit(keep=0), Limit(drop=0.3), Limit(keep=0.2)])
def test_there_is_a_number_for_every_model(cells, limit):
    assert rows_needed(Cells(*cells), limit, 0.5) >= 1
