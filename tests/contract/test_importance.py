"""Every importance score is one finite, non-negative number a unit, whatever the order of the units."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.registry import IMPORTANCE

SIZE = 2
"""Columns of one unit, for scores that read moments."""
READERS = [name for name in IMPORTANCE.names() if IMPORTANCE.load(name).reads != "generator"]
"""Those that look at the unit."""


def material(formula, units, seed, dtype=torch.float32):
    drawn = torch.Generator().manual_seed(seed)
    if formula.reads == "generator":
        return (units, drawn)
    if formula.reads == "moments":
        inputs = torch.randn(50, units * SIZE, generator=drawn) + 0.5
        return (torch.randn(units, SIZE, 5, generator=drawn).to(dtype), (inputs.T @ inputs / 50).to(dtype))
    size = (units, 7) if formula.reads == "weights" else (5, units)
    return (torch.randn(size, generator=drawn).to(dtype),)


def reordered(formula, given, order):
    order = list(order)
    if formula.reads == "moments":
        columns, moments = given
        places = [unit * SIZE + column for unit in order for column in range(SIZE)]
        return (columns[order], moments[places][:, places])
    return (given[0][order] if formula.reads == "weights" else given[0][:, order],)


@pytest.mark.parametrize("name", READERS)
@given(order=st.permutations(range(6)), seed=st.integers(0, 99))
def test_scores_follow_their_units(name, order, seed):
    formula = IMPORTANCE.load(name)
    given = material(formula, 6, seed)
    scores = formula(*given)
    assert scores.shape == (6,)
    assert (scores >= 0).all()
    torch.testing.assert_close(formula(*reordered(formula, given, order)), scores[list(order)])


@pytest.mark.parametrize("name", READERS)
def test_a_unit_without_effect_scores_zero(name):
    formula = IMPORTANCE.load(name)
    given = material(formula, 3, 0)
    if formula.reads == "gradients":
        given[0][:, 0] = 0
    else:
        given[0][0] = 0
    scores = formula(*given)
    assert scores[0] == 0
    assert (scores[1:] > 0).all()


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_half_precision_is_scored_in_float32(name):
    formula = IMPORTANCE.load(name)
    scores = formula(*material(formula, 4, 0, torch.bfloat16))
    assert scores.shape == (4,)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()
    assert (scores >= 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_what_was_given_is_left_as_it_was(name, dtype):
    formula = IMPORTANCE.load(name)
    given, again = material(formula, 4, 0, dtype), material(formula, 4, 0, dtype)
    formula(*given)
    assert all(torch.equal(one, two) for one, two in zip(given, again, strict=True) if isinstance(one, torch.Tensor))


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_another_shape_is_refused(name):
    formula = IMPORTANCE.load(name)
    wrong = {"generator": (-1, torch.Generator()), "moments": (torch.ones(2, 1, 3), torch.ones(3, 3))}
    with pytest.raises(CompressError, match=name):
        formula(*wrong.get(formula.reads, (torch.ones(3),)))


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_docstring_says_everything(name):
    formula = IMPORTANCE.load(name)
    assert formula.reads in ("weights", "gradients", "moments", "generator")
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in inspect.getdoc(formula)


def test_random_is_the_same_for_the_same_seed():
    score = IMPORTANCE.load("random")
    one, two, other = (score(9, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
