import itertools
from math import comb, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from compress.statistics.evidence import Limit
from compress.statistics.mcnemar import mcnemar
from compress.statistics.paired import Cells, cells, score, spread

LIMITS = [Limit(), *(Limit(drop=drop) for drop in (0.01, 0.1, 0.4)), *(Limit(keep=keep) for keep in (0.99, 0.9, 0.5))]
RANK = {"pass": 0, "not comparable": 1, "fail": 2}
COUNTS = st.tuples(*[st.integers(0, 300)] * 4).filter(any)


def weights(limit):
    return np.array([1 - limit.keep + limit.drop, 1 + limit.drop, limit.drop - limit.keep, limit.drop])


def likeliest(counts, limit):
    """The spread under the likeliest shares, found by brute force."""
    weight, count = weights(limit), np.array(counts, dtype=float)
    bounds = [{"type": "eq", "fun": lambda p: p.sum() - 1}, {"type": "eq", "fun": lambda p: p @ weight}]
    found = [
        minimize(
            lambda p: -count @ np.log(np.clip(p, 1e-12, 1)),
            np.random.default_rng(seed).dirichlet(np.ones(4)),
            bounds=[(0, 1)] * 4,
            constraints=bounds,
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 400},
        )
        for seed in range(8)
    ]
    return min((one for one in found if one.success), key=lambda one: one.fun).x @ weight**2


@pytest.mark.parametrize("limit", [*LIMITS[1:], Limit(keep=1.2), Limit(drop=-0.05)])
@pytest.mark.parametrize(
    "counts", [(50, 3, 7, 40), (90, 0, 0, 10), (90, 0, 5, 5), (90, 5, 0, 5), (800, 20, 45, 135), (5, 1, 2, 0)]
)
def test_the_spread_is_that_of_the_likeliest_shares_at_the_limit(counts, limit):
    assert spread(Cells(*counts), limit) == pytest.approx(likeliest(counts, limit), abs=1e-5)


def test_intervals_of_published_examples():
    """Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables, chapter 8: Bentur's 21 children."""
    assert Cells(1, 1, 7, 12).interval(0.975) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert Cells(1, 1, 7, 12).ratio_interval(0.975) == pytest.approx((0.065, 0.907), abs=5e-4)


def test_rows_without_a_difference_have_the_spread_of_the_limit():
    """With nothing lost, the likeliest model at the limit loses just that share of the rows."""
    assert spread(Cells(90, 0, 0, 10), Limit(drop=0.01)) == pytest.approx(0.01 * 0.99)
    assert score(Cells(268, 0, 0, 0), Limit(drop=0.01)) > NormalDist().inv_cdf(0.95)
    assert score(Cells(267, 0, 0, 0), Limit(drop=0.01)) < NormalDist().inv_cdf(0.95)


def test_far_from_the_limit_it_is_the_plain_test_of_a_mean():
    rows, limit = Cells(80_000, 4_000, 5_000, 11_000), Limit(drop=0.012)
    variance = (0.09 - 0.01**2) / 100_000
    assert score(rows, limit) == pytest.approx(0.002 / sqrt(variance), rel=0.02)


@given(COUNTS, st.sampled_from([0.8, 0.9, 0.95, 0.975]))
def test_the_interval_holds_the_difference_and_turns_with_the_models(counts, confidence):
    both, gained, lost, neither = counts
    low, high = Cells(*counts).interval(confidence)
    assert -1 - 1e-9 <= low - 1e-9 <= Cells(*counts).difference <= high + 1e-9 <= 1 + 1e-9
    turned = Cells(both, lost, gained, neither).interval(confidence)
    assert (-turned[1], -turned[0]) == pytest.approx((low, high), abs=1e-9)


@given(COUNTS.filter(lambda counts: counts[0] + counts[2] and counts[0] + counts[1]))
def test_the_interval_of_the_ratio_holds_the_ratio(counts):
    low, high = Cells(*counts).ratio_interval(0.95)
    assert low <= Cells(*counts).own / Cells(*counts).other <= high


@settings(deadline=None)
@given(COUNTS, st.floats(0.01, 0.5), st.sampled_from(["keep", "drop"]))
def test_a_limit_outside_the_interval_is_decided(counts, lost, kind):
    rows = Cells(*counts)
    if kind == "drop" or not rows.other:
        limit, (low, high) = Limit(drop=lost), (end + lost for end in rows.interval(0.95))
    else:
        limit, (low, high) = Limit(keep=1 - lost), (end - 1 + lost for end in rows.ratio_interval(0.95))
    answer = rows.test(limit).answer(0.95)
    if low > 1e-6:
        assert answer == "pass"
    elif high < -1e-6:
        assert answer == "fail" or mcnemar(int(rows.gained), int(rows.lost)) > 0.05
    elif low < -1e-6 and high > 1e-6:
        assert answer == "not comparable"


def better(counts):
    """The same rows with one more that the student gets right."""
    both, gained, lost, neither = counts
    if lost:
        yield both + 1, gained, lost - 1, neither
    if neither:
        yield both, gained + 1, lost, neither - 1


def holds(counts, limit):
    before = Cells(*counts).test(limit)
    for more in better(counts):
        after = Cells(*more).test(limit)
        assert after.kept <= before.kept + 1e-9, (counts, more, limit)
        assert after.lost >= before.lost - 1e-9, (counts, more, limit)
        for confidence in (0.5, 0.8, 0.95, 0.99):
            assert RANK[after.answer(confidence)] <= RANK[before.answer(confidence)], (counts, more, limit)


@pytest.mark.parametrize("limit", [*LIMITS, Limit(drop=1), Limit(keep=0)])
def test_one_row_more_is_never_worse_of_few_rows(limit):
    for rows in (1, 2, 5, 9):
        for counts in itertools.product(range(rows + 1), repeat=3):
            if sum(counts) <= rows:
                holds((*counts, rows - sum(counts)), limit)


@settings(deadline=None)
@given(
    COUNTS,
    st.floats(0.001, 0.999).map(lambda drop: Limit(drop=drop))
    | st.floats(0.001, 0.999).map(lambda keep: Limit(keep=keep)),
)
def test_one_row_more_is_never_worse(counts, limit):
    holds(counts, limit)


@pytest.mark.parametrize("limit", LIMITS)
def test_a_model_as_good_as_the_other_is_not_failed_more_often_than_the_confidence_allows(limit):
    """However few the rows: of those on which the models differ, each is as likely to be lost as gained."""
    for apart in (1, 3, 6, 12, 30):
        failed = sum(
            comb(apart, lost) / 2**apart
            for lost in range(apart + 1)
            if Cells(apart, apart - lost, lost, 0).test(limit).answer(0.95) == "fail"
        )
        assert failed <= 0.05


def test_where_nothing_may_be_lost_it_is_the_exact_test():
    evidence = Cells(50, 2, 9, 0).test(Limit())
    assert evidence.lost == pytest.approx(sum(comb(11, k) for k in range(3)) / 2**11)
    assert (
        evidence.kept == pytest.approx(sum(comb(11, k) for k in range(2, 12)) / 2**11, abs=1e-12) or evidence.kept > 0.9
    )
    assert Cells(50, 0, 0, 10).test(Limit()).answer(0.95) == "not comparable"


def test_rows_are_counted_by_who_is_right():
    assert cells([0, 1, 2, 3], [0, 1, 0, 0], [0, 0, 2, 1]) == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="shorter"):
        cells([0, 1], [0], [0, 1])


def test_whatever_is_lost_is_within_all():
    assert Cells(0, 0, 10, 0).test(Limit(drop=1)).answer(0.5) == "pass"
    assert Cells(0, 0, 10, 0).test(Limit(keep=0)).answer(0.5) == "pass"


@pytest.mark.parametrize(
    "limit", [Limit(drop=1e-300), Limit(keep=1e-309), Limit(keep=1 - 1e-16), Limit(drop=1 - 1e-16)]
)
@pytest.mark.parametrize("counts", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (90, 2, 3, 5)])
def test_limits_at_the_edge_of_floats_are_judged(counts, limit):
    assert Cells(*counts).test(limit).answer(0.95) in RANK
