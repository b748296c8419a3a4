"""Every importance score is one finite, non-negative number a unit, whatever the order of the units."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.registry import IMPORTANCE


def material(formula, units, seed, dtype=torch.float32):
    size = (units, 7) if formula.reads == "weights" else (5, units)
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)).to(dtype)


def reordered(formula, values, order):
    return values[order] if formula.reads == "weights" else values[:, order]


@pytest.mark.parametrize("name", IMPORTANCE.names())
@given(order=st.permutations(range(6)), seed=st.integers(0, 99))
def test_scores_follow_their_units(name, order, seed):
    formula = IMPORTANCE.load(name)
    values = material(formula, 6, seed)
    scores = formula(values)
    assert scores.shape == (6,)
    assert (scores >= 0).all()
    torch.testing.assert_close(formula(reordered(formula, values, order)), scores[list(order)])


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_a_unit_without_effect_scores_zero(name):
    formula = IMPORTANCE.load(name)
    values = material(formula, 3, 0)
    reordered(formula, values, slice(0, 1)).zero_()
    scores = formula(values)
    assert scores[0] == 0
    assert (scores[1:] > 0).all()


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_half_precision_is_scored_in_float32(name):
    formula = IMPORTANCE.load(name)
    scores = formula(material(formula, 4, 0, torch.bfloat16))
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_another_shape_is_refused(name):
    with pytest.raises(CompressError, match=name):
        IMPORTANCE.load(name)(torch.ones(3))


@pytest.mark.parametrize("name", IMPORTANCE.names())
def test_docstring_says_everything(name):
    formula = IMPORTANCE.load(name)
    assert formula.reads in ("weights", "gradients")
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in inspect.getdoc(formula)
