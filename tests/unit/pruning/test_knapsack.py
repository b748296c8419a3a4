"""One option a group within a budget: the best there is."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.pruning.knapsack import STEPS, cheapest

NUMBERS = st.integers(0, 20).map(float)
GROUPS = st.lists(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), min_size=1, max_size=4)


def arrays(groups):
    return [tuple(np.array(column) for column in zip(*group, strict=True)) for group in groups]


def totals(groups, chosen):
    taken = [group[option] for group, option in zip(groups, chosen, strict=True)]
    return sum(lost for lost, _ in taken), sum(cost for _, cost in taken)


@given(GROUPS, st.integers(0, 80))
def test_nothing_within_the_budget_loses_less(groups, budget):
    ways = [totals(groups, way) for way in product(*(range(len(group)) for group in groups))]
    fitting = [way for way in ways if way[1] <= budget]
    if not fitting:
        with pytest.raises(CompressError, match="the cheapest choice costs"):
            cheapest(arrays(groups), budget)
        return
    lost, cost = totals(groups, cheapest(arrays(groups), budget))
    assert cost <= budget
    least = sum(min(cost for _, cost in group) for group in groups)
    tight = budget - (budget - least) * len(groups) / STEPS
    assert lost <= min((way[0] for way in ways if way[1] <= tight), default=np.inf)
    assert lost >= min(way[0] for way in fitting)


@given(GROUPS, st.sampled_from([1, 2, 4, 5, 10]))
def test_it_is_exact_where_costs_are_whole_steps(groups, step):
    least = sum(min(cost for _, cost in group) for group in groups)
    whole = [[(lost, cost * 1000) for lost, cost in group] for group in groups]  # steps of the budget divide the costs
    budget = 1000 * least + STEPS * step
    ways = [totals(whole, way) for way in product(*(range(len(group)) for group in whole))]
    assert totals(whole, cheapest(arrays(whole), budget))[0] == min(way[0] for way in ways if way[1] <= budget)


def test_a_budget_is_spent_to_the_last():
    thirds = (np.array([0.0, 1.0]), np.array([1 / 3, 0.0]))
    assert cheapest([thirds] * 3, 1.0) == [0, 0, 0]
    assert cheapest([thirds] * 4, 1.0).count(0) == 3


def test_what_loses_nothing_is_kept_while_the_budget_lasts():
    group = (np.zeros(4), np.array([3.0, 2.0, 1.0, 0.0]))
    assert cheapest([group, group], 4.0) in ([0, 2], [1, 1], [2, 0])
    assert cheapest([group, group], 100.0) == [0, 0]
    assert cheapest([group, group], 0.0) == [3, 3]
