"""A model that computes as its INT8 export will, so that training can make up for the rounding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from compress.encoders.modeling_compress import FactoredEmbedding
from compress.encoders.modules import extras, layers, parts
from compress.encoders.rows import Rows, linear_of
from compress.encoders.widths import calls
from compress.training.compact import CompactEmbedding

SIGNED = 127
"""Largest magnitude of a weight; -128 is left out, so that the range is symmetric."""
UNSIGNED = 255
"""Largest value of an activation or of an embedding."""


@contextmanager
def fake_quantized(model: PreTrainedModel) -> Iterator[None]:
    """While the context lasts, the model rounds as the recipe `dynamic` (ONNX Runtime) does, and gradients ignore it.

    - The weights of every Linear become signed 8-bit integers, one scale an output: its largest weight is 127 steps.
    - Its inputs become unsigned ones, one scale a row of the batch, from the smallest to the largest value of its real
      tokens, 0 included. The export has one scale a call: the same for one row at a time. Where it computes the first
      token alone (see `encoders.simplify`), each token has a scale of its own.
    - Embedding tables become unsigned ones, one scale a table, also if only some tokens' rows are there.

    Parameters stay what they are, under their own names; nothing is left on the model afterwards. Products of integers
    are exact in bf16 too. Norms, softmax, products without weights and sums stay float, as in the export.
    Source: Jacob et al. 2018, arXiv:1712.05877, section 3; Zafrir et al. 2019, arXiv:1910.06188, section 3; straight-
    through gradients: Bengio et al. 2013, arXiv:1308.3432
    """
    # Linears of a class of their own compute something else.
    changed = [
        module
        for module in model.modules()
        if type(module) is nn.Linear or isinstance(module, nn.Embedding | CompactEmbedding)
    ]
    call = _Call(model)
    hook = model.register_forward_pre_hook(call.start, with_kwargs=True)
    try:
        for module in changed:
            own = partial(call.linear, module) if isinstance(module, nn.Linear) else partial(_embedded, module)
            vars(module)["forward"] = own
        yield
    finally:
        hook.remove()
        for module in changed:
            vars(module).pop("forward", None)


class _Call:
    """One forward pass of a model: which tokens are real, and how often the Linears of its last layer were called."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.mask = torch.empty(0, 0, dtype=torch.bool)
        self.left: dict[nn.Linear, int] = {}
        self.narrow = _narrow(model)
        self.times = calls(model.config) // len(layers(model))

    def start(self, _model: nn.Module, _args: Any, inputs: dict[str, Any]) -> None:
        """What is known before the pass."""
        self.mask = inputs["attention_mask"].bool()
        self.left = dict.fromkeys(self.narrow, self.times)

    def linear(self, module: nn.Linear, states: Tensor) -> Tensor:
        """What a Linear answers to rounded inputs.

        Shapes: (n, tokens, in) or (n, in) -> the same with `out`
        """
        step, least = _steps(*self.bounds(module, states.detach()))
        return _product(module, _rounded(states, step, least, least + UNSIGNED), step)

    def bounds(self, module: nn.Linear, states: Tensor) -> tuple[Tensor, Tensor]:
        """The smallest and the largest value that an export would scale together.

        What has no row for each text, such as the distances of DeBERTa, is scaled as a whole.
        Shapes: (n, tokens, in) or (n, in) -> 2 x (n, 1 or tokens, 1) or (n, 1)
        """
        # `aminmax` along an axis is 4 to 10 times slower than the two.
        low, high = states.amin(-1, keepdim=True).float(), states.amax(-1, keepdim=True).float()
        if states.dim() == 2:
            return low, high
        if self.mask.shape == states.shape[:2]:
            if module in self.left:
                self.left[module] -= 1
                if not self.left[module]:
                    return low, high
            low, high = (each.masked_fill(~self.mask[..., None], 0) for each in (low, high))
        return low.amin(1, keepdim=True), high.amax(1, keepdim=True)


def _narrow(model: PreTrainedModel) -> list[nn.Linear]:
    """The Linears of which the export computes the first token alone, in a layer's last call."""
    found: list[nn.Linear] = []
    if getattr(model.config, "classifier_pooling", "cls") != "cls":
        return found
    for part in reversed(parts(model)):
        found += [part.down, linear_of(part.up)]
        if not part.query.out_features:  # without attention, the layer before is read at the first token alone too
            continue
        found.append(part.output)
        # A fused query stands with keys and values, and where distances have keys (DeBERTa) the export keeps all tokens.
        if not isinstance(part.query, Rows) and extras(model).relative is None:
            found.append(part.query)
        break
    return found


def _embedded(module: nn.Embedding | CompactEmbedding, ids: Tensor) -> Tensor:
    """The rows of a table, rounded to what the whole table's range gives."""
    low, high = module.weight.detach().aminmax()
    if isinstance(module, CompactEmbedding):
        low, high = torch.minimum(low, module.absent[0]), torch.maximum(high, module.absent[1])
        rows = functional.embedding(module.place[ids], module.weight, module.padding)
    else:
        rows = functional.embedding(ids, module.weight, module.padding_idx)
    step, least = _steps(low, high)
    whole = _rounded(rows, step, least, least + UNSIGNED)
    projection = module.projection if isinstance(module, CompactEmbedding | FactoredEmbedding) else None
    # The export multiplies the table's integers as they are.
    return _product(projection, whole, step) if isinstance(projection, nn.Linear) else whole * step


def _product(module: nn.Linear, whole: Tensor, step: Tensor) -> Tensor:
    """The product of a Linear's inputs, in whole steps, with its rounded weights, times both steps, plus the bias."""
    weight = module.weight
    scale = _nonzero(weight.detach().abs().amax(1) / SIGNED)
    product = functional.linear(whole, _rounded(weight, scale[:, None], -SIGNED, SIGNED))
    answers = product * (step * scale)
    return (answers if module.bias is None else answers + module.bias).to(product.dtype)


def _steps(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The step between two integers, and the least integer: 0 is met exactly."""
    low, high = low.clamp(max=0), high.clamp(min=0)
    step = _nonzero((high - low) / UNSIGNED)
    return step, (low / step).round()


def _nonzero(step: Tensor) -> Tensor:
    """A step of 1 where all values are 0."""
    return step.where(step > 0, 1)


def _rounded(values: Tensor, step: Tensor, least: Tensor | int, most: Tensor | int) -> Tensor:
    """Values in whole steps, between a least and a largest number of them."""
    return cast("Tensor", _Rounded.apply(values, step, least, most))  # type: ignore[no-untyped-call]


class _Rounded(torch.autograd.Function):
    """`_rounded`, whose gradients pass as if nothing were rounded or cut off."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, step: Tensor, least: Any, most: Any) -> Tensor:
        ctx.save_for_backward(step)
        return (values / step).round_().clamp_(least, most).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (step,) = ctx.saved_tensors
        return (gradient / step).to(gradient.dtype), None, None, None
