"""The units that stay within a budget."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.pruning.budget import widths, within
from compress.pruning.costs import Costs, Widths

OPTIONS = {"least": (1, 4), "multiple": 4, "comparable": True}


def costs(fixed=0.1, head=0.05, neuron=0.01, heads=4, neurons=10, layers=2):
    rows = np.ones((layers, 1))
    return Costs(fixed, head * np.arange(heads + 1.0) * rows, neuron * np.arange(neurons + 1.0) * rows)


def kept(choice):
    return Widths(*(tuple(int(mask.sum()) for mask in kind) for kind in choice))


def scores(seed, layers=2, heads=4, neurons=10):
    generator = torch.Generator().manual_seed(seed)
    return [[torch.rand(width, generator=generator) for _ in range(layers)] for width in (heads, neurons)]


def lost(scored, choice):
    return sum(
        float(layer[~mask].double().sum())
        for kind, masks in zip(scored, choice, strict=True)
        for layer, mask in zip(kind, masks, strict=True)
    )


@given(st.integers(0, 999), st.floats(0.4, 1.0))
def test_no_other_widths_within_the_budget_lose_less(seed, budget):
    scored, cost = scores(seed), costs()
    choice = within(*scored, cost, budget, **OPTIONS)
    assert widths(choice) == widths(scored)
    assert cost.of(kept(choice)) <= budget + 1e-9
    best = np.inf
    ordered = [layer.double().sort().values for kind in scored for layer in kind]
    for counts in product([1, 2, 3, 4], [1, 2, 3, 4], [4, 8, 10], [4, 8, 10]):
        if cost.of(Widths(counts[:2], counts[2:])) <= budget - 1e-3:
            best = min(best, sum(float(o[: len(o) - c].sum()) for o, c in zip(ordered, counts, strict=True)))
    assert lost(scored, choice) <= best + 1e-9


def test_a_layer_loses_its_least_units_and_keeps_a_multiple():
    scored = [[torch.tensor([3.0, 1.0, 2.0, 4.0])], [torch.arange(10.0) / 10]]
    choice = within(*scored, costs(layers=1), 0.1 + 0.1 + 0.08, **OPTIONS)
    assert choice.heads[0].tolist() == [True, False, False, True]
    assert choice.neurons[0].tolist() == [False] * 2 + [True] * 8


def test_whole_blocks_go_only_where_that_is_allowed():
    scored = [[torch.zeros(4), torch.ones(4)], [torch.zeros(10), torch.ones(10)]]
    budget = 0.1 + 0.2 + 0.1  # one layer's worth
    apart = within(*scored, costs(), budget, **{**OPTIONS, "least": (0, 0)})
    assert kept(apart) == Widths((0, 4), (0, 10))
    assert min(kept(within(*scored, costs(), budget, **OPTIONS)).heads) == 1


def test_scores_that_do_not_compare_are_scaled_by_kind():
    heads, neurons = scores(3)
    small = [layer / 1e6 for layer in heads]
    options = {**OPTIONS, "comparable": False}
    assert kept(within(heads, neurons, costs(), 0.5, **options)) == kept(
        within(small, neurons, costs(), 0.5, **options)
    )
    assert kept(within(small, neurons, costs(), 0.35, **OPTIONS)).heads == (1, 1)  # heads seem to be worth nothing


def test_bad_scores_and_budgets_are_refused():
    with pytest.raises(CompressError, match="layer 1: a neuron score is negative or not finite"):
        within([torch.ones(4)] * 2, [torch.ones(10), -torch.ones(10)], costs(), 1.0, **OPTIONS)
    with pytest.raises(CompressError, match="costs"):
        within(*scores(0), costs(), 0.1, **OPTIONS)
