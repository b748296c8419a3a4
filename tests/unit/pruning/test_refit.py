"""The refit against what it promises: no larger error, nothing changed where nothing was cut, real tokens only."""

import pytest
import tiny
import torch
from torch import nn

from compress.encoders.modules import parts
from compress.encoders.surgery import Masks, cut
from compress.errors import CompressError
from compress.pruning.least_squares import RIDGE, Squares
from compress.pruning.refit import refit


def batches(model, count=3, length=10):
    return [tiny.batch(model, rows=6, length=length, seed=seed) for seed in range(count)]


def halved(model):
    masks = Masks.full(model)
    for heads, neurons in zip(masks.heads, masks.neurons, strict=True):
        heads[1] = False
        neurons[::2] = False
    return cut(model, masks)


def distance(model, other, rows):
    with torch.no_grad():
        return sum(float((model(**batch).logits - other(**batch).logits).square().sum()) for batch in rows)


@pytest.mark.parametrize("family", tiny.CUTTABLE)
def test_the_error_falls_and_so_does_the_logits(family):
    model = tiny.model(family)
    smaller, rows = halved(model), batches(model)
    before = distance(smaller, model, rows)
    reports = refit(smaller, model, rows)
    assert [(report.layer, report.block) for report in reports] == [
        (layer, block) for layer in range(len(parts(model))) for block in ("output", "down")
    ]
    assert all(report.fitted.after < report.fitted.before for report in reports)
    assert distance(smaller, model, rows) < before / 2


@pytest.mark.parametrize("family", tiny.CUTTABLE)
def test_nothing_cut_nothing_changed(family):
    model = tiny.model(family)
    same = cut(model, Masks.full(model))
    refit(same, model, batches(model, 1))
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_only_the_output_linears_change_and_modes_stay():
    model = tiny.model().train()
    smaller = halved(model)
    next(smaller.parameters()).requires_grad_(False)
    before = {name: value.clone() for name, value in smaller.state_dict().items()}
    whole = {name: value.clone() for name, value in model.state_dict().items()}
    refit(smaller, model, batches(model, 1))
    changed = {name for name, value in smaller.state_dict().items() if not torch.equal(value, before[name])}
    kinds = {name.split(".", 4)[4].rsplit(".", 1)[0] for name in changed}
    assert kinds == {"attention.output.dense", "output.dense"}
    assert all(torch.equal(value, whole[name]) for name, value in model.state_dict().items())
    assert smaller.training
    assert model.training
    assert [parameter.requires_grad for parameter in smaller.parameters()].count(False) == 1
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in smaller.modules())


def test_padding_does_not_count():
    model = tiny.model()
    row = {name: value[:1] for name, value in tiny.batch(model, length=10).items()}
    padded = {name: nn.functional.pad(value, (0, 5)) for name, value in row.items()}
    one, other = halved(model), halved(model)
    refit(one, model, [row])
    refit(other, model, [padded])
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_inputs_that_never_differ_move_the_bias_alone(seed):
    generator = torch.Generator().manual_seed(seed)
    linear, inputs = nn.Linear(8, 4), 30 * torch.randn(1, 8, generator=generator).expand(6, 8)
    goal = torch.randn(1, 4, generator=generator).expand(6, 4)
    before = linear.weight.detach().clone()
    squares = Squares(linear)
    with torch.no_grad():
        squares.add(inputs, goal - linear(inputs), torch.rand(6, generator=generator))
        squares.solve()
        torch.testing.assert_close(linear(inputs), goal, rtol=0, atol=1e-4)
    torch.testing.assert_close(linear.weight.detach(), before, rtol=0, atol=1e-5)


def test_batches_may_be_cut_anywhere():
    model = tiny.model()
    whole = tiny.batch(model, rows=6)
    parted = [{name: value[part] for name, value in whole.items()} for part in (slice(2), slice(2, 6))]
    one, other = halved(model), halved(model)
    refit(one, model, [whole])
    refit(other, model, parted)
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)


def test_the_last_layer_is_fitted_to_the_first_token():
    model = tiny.model()
    smaller, rows = halved(model), batches(model)
    refit(smaller, model, rows)
    apart = torch.zeros(10)
    with torch.no_grad():
        for batch in rows:
            found, wanted = (one(**batch, output_hidden_states=True).hidden_states[-1] for one in (smaller, model))
            apart += ((found - wanted).square().sum(-1) * batch["attention_mask"]).sum(0)
    assert apart[0] < apart[1:5].min() / 2


def test_no_batch_is_refused():
    with pytest.raises(CompressError, match="at least one batch"):
        refit(tiny.model(), tiny.model(), [])


def test_progress_is_told():
    model, told = tiny.model(), []
    refit(halved(model), model, batches(model, 1), told=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("bias", [True, False])
def test_the_fit_is_the_minimum_with_its_ridge(bias):
    drawn = torch.Generator().manual_seed(0)
    inputs, goal = torch.randn(40, 5, generator=drawn), torch.randn(40, 3, generator=drawn)
    weights = torch.rand(40, generator=drawn)
    linear = nn.Linear(5, 3, bias=bias)
    first = linear.weight.detach().clone()
    squares = Squares(linear)
    with torch.no_grad():
        missing = goal - linear(inputs)
    squares.add(inputs[:15], missing[:15], weights[:15])
    squares.add(inputs[15:], missing[15:], weights[15:])
    fitted = squares.solve()
    share = weights / weights.sum()
    assert fitted.before == pytest.approx(float((missing.square().sum(1) * share).sum()), rel=1e-5)
    left = goal - linear(inputs).detach()
    assert fitted.after == pytest.approx(float((left.square().sum(1) * share).sum()), rel=1e-4)
    mean = (inputs * share[:, None]).sum(0) if bias else torch.zeros(5)
    ridge = RIDGE * float(((inputs - mean).square() * share[:, None]).sum(0).mean())
    error = ((goal - linear(inputs)).square().sum(1) * share).sum() + ridge * (linear.weight - first).square().sum()
    for gradient in torch.autograd.grad(error, list(linear.parameters())):
        assert gradient.abs().max() < 1e-5


def test_a_block_without_units_gets_the_best_constant():
    linear = nn.Linear(2, 3)
    linear.in_features, linear.weight = 0, nn.Parameter(torch.zeros(3, 0))
    goal = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    squares = Squares(linear)
    squares.add(torch.zeros(20, 0), goal - linear.bias.detach(), torch.ones(20))
    fitted = squares.solve()
    torch.testing.assert_close(linear.bias.detach(), goal.mean(0))
    assert fitted.after < fitted.before


def test_rows_without_weight_change_nothing():
    linear = nn.Linear(2, 3)
    before = linear.weight.detach().clone()
    squares = Squares(linear)
    squares.add(torch.ones(4, 2), torch.ones(4, 3), torch.zeros(4))
    assert squares.solve() == (0.0, 0.0)
    assert torch.equal(linear.weight, before)
