"""Properties of the choice: shares, floors, steps, order, ties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError, InputError
from compress.pruning.search import choose
from compress.pruning.shares import missed, nearest

SHARES = st.floats(0, 0.99)


@st.composite
def layers(draw, largest=20):
    widths = draw(st.lists(st.integers(1, largest), min_size=1, max_size=5))
    values = st.one_of(st.floats(0, 1e3, width=32), st.sampled_from([0.0, 1.0]))
    return [torch.tensor(draw(st.lists(values, min_size=width, max_size=width))) for width in widths]


def asked(scores, share):
    total = sum(len(layer) for layer in scores)
    return total - int(share * total + 0.5)


@given(layers(12), SHARES)
def test_heads_keep_the_asked_number_or_one_a_layer(scores, share):
    kept = choose(scores, [], heads=share, neurons=0, multiple=1).heads
    assert [mask.shape for mask in kept] == [layer.shape for layer in scores]
    assert all(mask.dtype == torch.bool and mask.any() for mask in kept)
    assert sum(int(mask.sum()) for mask in kept) == max(asked(scores, share), len(scores))


@given(layers(), SHARES, st.integers(1, 9))
def test_neurons_keep_steps_and_come_as_close_as_steps_allow(scores, share, multiple):
    kept = choose([], scores, heads=0, neurons=share, multiple=multiple).neurons
    counts, widths = [int(mask.sum()) for mask in kept], [len(layer) for layer in scores]
    floors = [min(multiple, width) for width in widths]
    for count, width, floor in zip(counts, widths, floors, strict=True):
        assert count >= floor
        assert count == width or count % multiple == 0
    over = sum(counts) - asked(scores, share)
    if 2 * over > multiple:
        assert counts == floors
    if 2 * -over > multiple:
        assert counts == widths


@given(layers(), SHARES, st.integers(1, 9))
def test_the_best_of_each_layer_stay(scores, share, multiple):
    kept = choose(scores, scores, heads=share, neurons=share, multiple=multiple)
    for layer, *masks in zip(scores, kept.heads, kept.neurons, strict=True):
        for mask in masks:
            if not mask.all():
                assert layer[mask].min() >= layer[~mask].max()


@given(layers(), SHARES)
def test_a_layers_scale_does_not_matter(scores, share):
    # Powers of two change no digit, so not even a tie may turn.
    scaled = [layer * 2.0 ** (number % 3) for number, layer in enumerate(scores)]
    one = choose(scores, scores, heads=share, neurons=share, multiple=4)
    other = choose(scaled, scaled, heads=share, neurons=share, multiple=4)
    for a, b in zip((*one.heads, *one.neurons), (*other.heads, *other.neurons), strict=True):
        assert torch.equal(a, b)


@given(layers())
def test_nothing_asked_nothing_cut(scores):
    kept = choose(scores, scores, heads=0, neurons=0, multiple=8)
    assert all(mask.all() for mask in (*kept.heads, *kept.neurons))


def test_units_are_ranked_over_all_layers():
    flat, steep = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([0.1, 0.1, 10.0, 10.0])
    kept = choose([flat, steep], [], heads=0.25, neurons=0, multiple=1).heads
    assert kept[0].tolist() == [True] * 4
    assert kept[1].tolist() == [False, False, True, True]


def test_among_equals_the_earlier_goes_first():
    even = torch.ones(4)
    kept = choose([even, even], [], heads=0.375, neurons=0, multiple=1).heads
    assert kept[0].tolist() == [False, False, False, True]
    assert kept[1].tolist() == [True] * 4


def test_neurons_are_rounded_to_the_nearest_step_and_the_total_is_kept():
    strong, weak = torch.full((16,), 1.0), torch.cat([torch.full((6,), 0.01), torch.full((10,), 1.0)])
    kept = choose([], [strong, weak], heads=0, neurons=6 / 32, multiple=8).neurons
    assert [int(mask.sum()) for mask in kept] == [16, 8]
    assert kept[1].tolist() == [False] * 8 + [True] * 8


def test_where_single_steps_miss_the_share_the_nearest_total_is_found():
    scores = [torch.arange(1.0, 101.0), torch.arange(1.0, 101.0) ** 2, torch.ones(100)]
    kept = choose([], scores, heads=0, neurons=0.1333, multiple=30).neurons
    assert [int(mask.sum()) for mask in kept] == [100, 60, 100]  # squares: the lowest 40 lose the least


@given(st.integers(1, 6), st.integers(1, 120), st.floats(0, 0.99), st.integers(1, 130))
def test_a_share_is_missed_only_where_the_widths_say_so(layers, width, share, multiple):
    scores = torch.rand(layers, width, generator=torch.Generator().manual_seed(width))
    kept = choose([], list(scores), heads=0, neurons=share, multiple=multiple).neurons
    removed = 1 - sum(int(mask.sum()) for mask in kept) / scores.numel()
    near = nearest(share, layers=layers, width=width, multiple=multiple)
    assert missed(share, removed, scores.numel()) == missed(share, near, scores.numel())
    if missed(share, removed, scores.numel()):
        assert abs(removed - share) == pytest.approx(abs(near - share))


def test_every_layer_keeps_its_best_step():
    dead = torch.zeros(32)
    alive = torch.arange(1.0, 33.0)
    kept = choose([], [dead, alive], heads=0, neurons=0.5, multiple=8).neurons
    assert [int(mask.sum()) for mask in kept] == [8, 24]


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match=r"prune\.heads: .* from 0 to below 1"):
        choose([torch.ones(2)], [], heads=share, neurons=0, multiple=8)
    with pytest.raises(InputError, match=r"prune\.multiple"):
        choose([torch.ones(2)], [], heads=0, neurons=0, multiple=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_scores_that_are_no_scores_are_refused(bad):
    with pytest.raises(CompressError, match="layer 1: a neuron score is negative or not finite"):
        choose([], [torch.ones(2), torch.tensor([1.0, bad])], heads=0, neurons=0.5, multiple=1)
