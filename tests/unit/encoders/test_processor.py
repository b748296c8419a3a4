from contextlib import nullcontext

import pytest
import tiny
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from transformers import PreTrainedModel

from compress.encoders.families import FAMILIES
from compress.encoders.processor import ATTENTION, LONG, attention, drop, quick

CHOOSING = pytest.mark.parametrize("family", [name for name, row in FAMILIES.items() if row.sdpa])


def answers(model: PreTrainedModel, length: int, *, fast: bool, gradients: bool) -> dict[str, Tensor]:
    model.zero_grad()
    batch = tiny.batch(model, length=length)
    with quick(model) if fast else nullcontext(), torch.set_grad_enabled(gradients):
        logits = model(**batch).logits
    if not gradients:
        return {"logits": logits}
    logits.square().sum().backward()
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return {"logits": logits.detach(), **found}


@CHOOSING
@pytest.mark.parametrize("length", [7, 16, 19])
@pytest.mark.parametrize("gradients", [False, True])
def test_quick_attention_gives_the_same_answers_and_gradients(family: str, length: int, gradients: bool) -> None:
    model = tiny.model(family)
    usual = answers(model, length, fast=False, gradients=gradients)
    fast = answers(model, length, fast=True, gradients=gradients)
    assert usual.keys() == fast.keys()
    for name, values in usual.items():
        assert_close(fast[name], values, rtol=1e-4, atol=1e-5 * float(values.abs().max()) + 1e-6, msg=name)


class Layer(nn.Module):
    """What transformers reads of the module that attends."""

    is_causal = False


def test_quick_attention_is_what_the_model_computes_with_while_the_context_lasts() -> None:
    model = tiny.model()
    with quick(model):
        assert model.config._attn_implementation == ATTENTION
        with quick(model):
            assert model.config._attn_implementation == ATTENTION
        assert model.config._attn_implementation == ATTENTION
    assert model.config._attn_implementation == "sdpa"


def test_eager_attention_stays_eager() -> None:
    model = tiny.model(attention="eager")
    with quick(model):
        assert model.config._attn_implementation == "eager"


def test_dropout_comes_back() -> None:
    model = tiny.model().train()
    with quick(model):
        assert not any(type(module) is nn.Dropout for module in model.modules())
    assert any(type(module) is nn.Dropout for module in model.modules())


def test_hidden_states_are_dropped_in_training() -> None:
    model = tiny.model().train()
    torch.manual_seed(0)
    with quick(model):
        states = model.bert.embeddings.dropout(torch.ones(200, 200))
    assert_close((states == 0).float().mean(), torch.tensor(0.1), rtol=0, atol=0.01)


def test_an_exception_leaves_nothing_behind() -> None:
    model = tiny.model()
    with pytest.raises(RuntimeError, match="stopped"), quick(model):
        raise RuntimeError("stopped")
    assert model.config._attn_implementation == "sdpa"
    assert any(type(module) is nn.Dropout for module in model.modules())


@pytest.mark.parametrize("tokens", [5, 16, 40, LONG, LONG + 1])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_bf16_is_that_in_fp32_but_for_rounding(tokens: int, masked: bool) -> None:
    torch.manual_seed(0)
    made = [torch.randn(2, 3, tokens, 8).bfloat16().requires_grad_() for _ in range(3)]
    mask = torch.arange(tokens) < torch.tensor([tokens, tokens - 3])[:, None]
    given = mask[:, None, None].expand(2, 1, tokens, tokens) if masked else None
    exact = [part.detach().float().requires_grad_() for part in made]
    usual = torch.nn.functional.scaled_dot_product_attention(*exact, attn_mask=given).transpose(1, 2)
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients):
            fast, _ = attention(Layer(), *made, given)
        assert fast.dtype == torch.bfloat16
        assert_close(fast.float(), usual, rtol=0.02, atol=0.02)
    outer = torch.randn_like(usual)
    expected = torch.autograd.grad(usual, exact, outer)
    for one, other in zip(torch.autograd.grad(fast, made, outer.bfloat16()), expected, strict=True):
        assert_close(one.float(), other, rtol=0.05, atol=0.05)


def test_a_layer_that_must_not_look_ahead_does_not() -> None:
    torch.manual_seed(0)
    made = [torch.randn(1, 2, 5, 4).bfloat16().requires_grad_() for _ in range(3)]
    layer = Layer()
    layer.is_causal = True
    states, _ = attention(layer, *made, None)
    gradient = torch.autograd.grad(states[:, 0].float().sum(), made[2])[0]
    assert gradient[:, :, 0].any()
    assert not gradient[:, :, 1:].any()


def test_where_no_key_may_be_looked_at_nothing_is_not_a_number() -> None:
    torch.manual_seed(0)
    made = [torch.randn(1, 2, 5, 4, requires_grad=True) for _ in range(3)]
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool)
    mask[..., 2, :] = False
    with torch.autocast("cpu", torch.bfloat16):
        states, _ = attention(Layer(), *made, mask, dropout=0.1)
    assert states.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(states.float().sum(), made))


def test_attention_drops_in_training() -> None:
    model = tiny.model().train()
    batch = tiny.batch(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout) and not name.endswith("attention.self.dropout"):
            module.p = 0.0
    with quick(model):
        torch.manual_seed(0)
        first, second = model(**batch).logits, model(**batch).logits
        torch.manual_seed(0)
        again = model(**batch).logits
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_drop_keeps_the_mean_and_scales_what_it_keeps(probability: float, precision: torch.dtype) -> None:
    torch.manual_seed(0)
    values = drop(torch.ones(301, 333, dtype=precision), probability)
    kept = values != 0
    assert values.dtype == precision
    assert_close(1 - kept.float().mean(), torch.tensor(probability), rtol=0, atol=0.005)
    assert_close(values[kept].float(), torch.full_like(values[kept].float(), 1 / (1 - probability)), rtol=5e-3, atol=0)


def test_drop_at_the_ends() -> None:
    values = torch.ones(5)
    assert drop(values, 0.0) is values
    assert not drop(values, 1.0).any()
    assert drop(torch.ones(0, 3), 0.5).shape == (0, 3)


def test_dropped_values_have_no_gradient() -> None:
    values = torch.ones(1000, requires_grad=True)
    dropped = drop(values, 0.3)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, dropped.detach())
