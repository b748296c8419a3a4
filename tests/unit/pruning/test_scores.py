"""Scores of real (tiny) models, against slow computations that share nothing with the fast one."""

import pytest
import tiny
import torch
from torch.nn import functional

from compress.encoders.modules import parts
from compress.encoders.rows import linear_of
from compress.encoders.surgery import Masks, cut, scaled
from compress.errors import CompressError, TrainingFailed, UnknownName
from compress.pruning.scores import unit_scores
from compress.registry import IMPORTANCE


def labelled(model, rows=3, seed=0):
    return {**tiny.batch(model, rows=rows, seed=seed), "labels": torch.arange(rows) % 3}


@pytest.mark.parametrize("family", tiny.CUTTABLE)
def test_gradients_are_those_of_each_sample_alone(family):
    model = tiny.model(family)
    batch = labelled(model)
    scores = unit_scores(model, [batch], "taylor")
    full = Masks.full(model)
    expected = [torch.zeros(len(mask)) for mask in (*full.heads, *full.neurons)]
    for row in range(3):
        factors = [mask.float().requires_grad_() for mask in (*full.heads, *full.neurons)]
        single = {name: values[row : row + 1] for name, values in batch.items()}
        labels = single.pop("labels")
        count = len(full.heads)
        with scaled(model, factors[:count], factors[count:]):
            loss = functional.cross_entropy(model(**single).logits, labels)
        for total, gradient in zip(expected, torch.autograd.grad(loss, factors), strict=True):
            total += gradient.abs() / 3
    torch.testing.assert_close([*scores.heads, *scores.neurons], expected, rtol=1e-3, atol=1e-6)


def test_the_first_order_is_the_effect_of_a_small_change():
    model = tiny.model()
    batch = labelled(model, rows=1)
    scores = unit_scores(model, [batch], "taylor")
    with torch.no_grad():
        before = model.double()(**batch).loss
        parts(model)[0].down.weight[:, 5] *= 1 - 1e-5
        change = model(**batch).loss - before
    assert abs(change.item()) / 1e-5 == pytest.approx(scores.neurons[0][5].item(), rel=1e-2)


def test_batches_may_be_cut_anywhere():
    model = tiny.model()
    one = labelled(model, rows=4)
    parted = [{name: values[:1] for name, values in one.items()}, {name: values[1:] for name, values in one.items()}]
    whole, pieces = unit_scores(model, [one], "taylor"), unit_scores(model, iter(parted), "taylor")
    torch.testing.assert_close(whole, pieces)


@pytest.mark.parametrize("family", tiny.CUTTABLE)
def test_magnitude_sums_a_units_weights(family):
    model = tiny.model(family)
    scores = unit_scores(model, [], "magnitude")
    for layer, heads, neurons in zip(parts(model), scores.heads, scores.neurons, strict=True):
        rows = slice(8, 16)
        expected = sum(linear.weight[rows].abs().sum() for linear in (layer.query, layer.key, layer.value))
        torch.testing.assert_close(heads[1], expected + layer.output.weight[:, rows].abs().sum())
        expected = sum(
            linear_of(layer.up).weight[row].abs().sum() for row in range(3, linear_of(layer.up).out_features, 64)
        )
        torch.testing.assert_close(neurons[3], expected + layer.down.weight[:, 3].abs().sum())
        assert (heads.shape, neurons.shape) == ((4,), (64,))


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
def test_a_cut_model_has_the_scores_of_what_is_left(importance):
    model = tiny.model()
    masks = Masks.full(model)
    masks.heads[0][1] = False
    masks.neurons[1][10:30] = False
    smaller = cut(model, masks)
    scores = unit_scores(smaller, [labelled(smaller)], importance)
    assert [len(layer) for layer in scores.heads] == [3, 4]
    assert [len(layer) for layer in scores.neurons] == [64, 44]


def test_the_model_is_left_as_it_was():
    model = tiny.model().train()
    next(model.parameters()).requires_grad_(False)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    unit_scores(model, [labelled(model)], "taylor")
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()].count(False) == 1
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_no_batch_and_no_such_score_are_refused():
    model = tiny.model()
    with pytest.raises(CompressError, match="at least one batch"):
        unit_scores(model, [], "taylor")
    with pytest.raises(UnknownName, match=r"no such importance score `tailor`\. Did you mean `taylor`"):
        unit_scores(model, [], "tailor")


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = tiny.model()
    parts(model)[1].down.weight.data[0, 0] = torch.nan
    with pytest.raises(TrainingFailed, match="the magnitude scores of the neurons of layer 1 are no finite numbers"):
        unit_scores(model, [], "magnitude")


def test_rows_of_another_familys_teacher_can_be_scored() -> None:
    model = tiny.model("distilbert")
    batch = tiny.batch(model) | {"labels": torch.tensor([0, 1, 2])}
    wider = batch | {"token_type_ids": torch.zeros_like(batch["input_ids"])}
    for own, other in zip(unit_scores(model, [batch], "taylor"), unit_scores(model, [wider], "taylor"), strict=True):
        assert all(torch.equal(one, two) for one, two in zip(own, other, strict=True))


@pytest.mark.parametrize("importance", IMPORTANCE.names())
def test_blocks_that_are_gone_have_no_scores(importance: str) -> None:
    model = tiny.model()
    full = Masks.full(model)
    none = torch.zeros(4, dtype=torch.bool), torch.zeros(64, dtype=torch.bool)
    small = cut(model, Masks((none[0], full.heads[1]), (full.neurons[0], none[1])))
    batch = {**tiny.batch(small), "labels": torch.tensor([0, 1, 2])}
    scores = unit_scores(small, [batch], importance)
    assert [len(found) for found in (*scores.heads, *scores.neurons)] == [0, 4, 64, 0]
