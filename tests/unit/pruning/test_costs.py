"""What uniform cuts cost says what every other cut costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.pruning.costs import Widths, fit, grid

WIDTHS = st.integers(1, 5).flatmap(
    lambda layers: st.builds(
        Widths,
        st.lists(st.integers(1, 12), min_size=layers, max_size=layers).map(tuple),
        st.lists(st.integers(8, 60), min_size=layers, max_size=layers).map(tuple),
    )
)
SHARES = (0.125, 0.5)


def uniform(whole, point):
    return Widths(*(tuple(min(count, most) for most in widths) for widths, count in zip(whole, point, strict=True)))


@given(WIDTHS, st.floats(0, 5), st.floats(0.01, 1), st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_straight_costs_come_out_exactly(whole, fixed, head, neuron, random):
    def cost(kept):
        return fixed + head * sum(kept.heads) + neuron * sum(kept.neurons)

    uncut = cost(whole)
    points = grid(whole, (1, 8), (1, 8), SHARES)
    costs = fit({point: cost(uniform(whole, point)) / uncut for point in points}, whole)
    kept = Widths(
        tuple(random.randint(1, most) for most in whole.heads), tuple(random.randint(8, most) for most in whole.neurons)
    )
    assert costs.of(kept) == pytest.approx(cost(kept) / uncut)
    assert costs.of(whole) == pytest.approx(1)


def test_the_corner_is_as_measured_and_a_larger_width_never_costs_less():
    whole = Widths((4, 4), (64, 64))
    points = grid(whole, (1, 8), (1, 8), (0.5,))
    assert sorted(points) == [(1, 8), (1, 64), (2, 64), (4, 8), (4, 32), (4, 64)]
    shares = {(1, 64): 0.7, (2, 64): 0.6, (4, 64): 1.0, (4, 32): 0.8, (4, 8): 0.6, (1, 8): 0.3}
    costs = fit(shares, whole)
    assert costs.of(Widths((1, 1), (8, 8))) == pytest.approx(0.3)
    assert costs.of(whole) == pytest.approx(1)
    assert (np.diff(costs.heads) >= 0).all()
    assert (np.diff(costs.neurons) >= 0).all()
    assert costs.heads[0, 1] == costs.heads[0, 2]  # 2 heads were measured faster than 1


def test_blocks_that_go_whole_are_measured_apart_from_the_least_that_stays():
    points = grid(Widths((4,), (64,)), (0, 0), (1, 8), ())
    assert sorted(points) == [(0, 0), (0, 64), (1, 64), (4, 0), (4, 8), (4, 64)]
    shares = {(0, 64): 0.5, (1, 64): 0.7, (4, 64): 1.0, (4, 0): 0.6, (4, 8): 0.8, (0, 0): 0.1}
    costs = fit(shares, Widths((4,), (64,)))
    assert costs.of(Widths((0,), (64,))) == pytest.approx(0.5)
    assert costs.of(Widths((1,), (64,))) == pytest.approx(0.7)


def test_a_last_layer_that_costs_less_is_told_apart():
    whole, heads, neurons = Widths((4, 4, 4), (64, 64, 64)), (0.05, 0.05, 0.02), (0.004, 0.004, 0.0005)

    def cost(kept):
        own = zip(kept.heads, kept.neurons, heads, neurons, strict=True)
        return 0.1 + sum(h * head + n * neuron for h, n, head, neuron in own)

    uncut = cost(whole)
    points = {point: cost(uniform(whole, point)) / uncut for point in grid(whole, (1, 8), (1, 8), SHARES)}
    last = (cost(Widths((4, 4, 1), (64, 64, 64))) / uncut, cost(Widths((4, 4, 4), (64, 64, 8))) / uncut)
    costs = fit(points, whole, last)
    for kept in (Widths((1, 4, 2), (64, 8, 24)), Widths((4, 4, 1), (64, 64, 8)), Widths((1, 2, 4), (8, 16, 64))):
        assert costs.of(kept) == pytest.approx(cost(kept) / uncut)
        assert fit(points, whole).of(kept) != pytest.approx(cost(kept) / uncut, rel=1e-3)
