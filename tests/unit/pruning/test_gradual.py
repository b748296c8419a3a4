"""Where a cut in several steps is after each of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.pruning.gradual import after

SHARES = st.floats(0, 1)


def test_most_goes_first() -> None:
    assert [after(step, 4, 0.0, 0.64) for step in (1, 2, 3, 4)] == pytest.approx([0.37, 0.56, 0.63, 0.64])
    assert [after(step, 2, 1.0, 0.2) for step in (1, 2)] == pytest.approx([0.3, 0.2])


@given(st.integers(1, 20), SHARES, SHARES)
def test_the_way_ends_at_the_goal_and_never_turns_back(steps: int, start: float, goal: float) -> None:
    way = [start, *(after(step, steps, start, goal) for step in range(1, steps + 1))]
    assert way[-1] == goal
    assert way == sorted(way, reverse=goal < start)
