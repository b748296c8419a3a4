"""Attention and dropout that are fast on a processor, where PyTorch's own are slow for short rows.

PyTorch's attention has no kernel for dropout on a processor. In bf16 the gradient of the one without takes 10 times as
long as the plain products at 14 tokens, 1.5 times at 512; and it is slow where the number of keys is no multiple of a
vector. Dropout draws one number at a time.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "compress"
"""The name that transformers knows `attention` by."""
VECTOR = 16
"""Keys are filled up to a multiple of it: what a vector of the processor holds in fp32."""
LONG = 512
"""Tokens above which attention without dropout is PyTorch's, which needs no room for all weights."""


@contextmanager
def quick(*models: nn.Module | None) -> Iterator[None]:
    """While the context lasts, the models' attention and dropout on a processor are the fast ones.

    Attention: in families that let transformers choose it, and only if it was to be PyTorch's own (`sdpa`). Other devices
    compute as before. A copy of a model that is made inside keeps them.
    """
    with ExitStack() as stack:
        for model in models:
            if model is None:
                continue
            if isinstance(model, PreTrainedModel) and model.config._attn_implementation == "sdpa":
                model.set_attn_implementation(ATTENTION)
                stack.callback(model.set_attn_implementation, "sdpa")
            for module in model.modules():
                if type(module) is nn.Dropout:
                    module.__class__ = Dropout
                    stack.callback(setattr, module, "__class__", nn.Dropout)
        yield


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention, as transformers asks for it.

    Equal to PyTorch's, but for rounding and random numbers, where a query may look at a key at all. In fp32 without
    dropout it is PyTorch's, which is no slower there.

    Shapes: query, key and value (b, h, t, s), attention_mask (b, 1, t, t) or (b, 1, 1, t), true where a key counts -> (b, t, h, s)
    """
    rows, heads, tokens, size = query.shape
    causal = others.get("is_causal") or (others.get("is_causal") is None and getattr(module, "is_causal", True))
    known = not causal if attention_mask is None else attention_mask.dtype == torch.bool
    if not (query.device.type == "cpu" and known and heads and (dropout or query.dtype == torch.bfloat16)):
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return found
    short = -tokens % VECTOR
    mask = attention_mask
    if short:
        key, value = functional.pad(key, (0, 0, 0, short)), functional.pad(value, (0, 0, 0, short))
        mask = mask if mask is not None else query.new_ones(1, 1, 1, tokens, dtype=torch.bool)
        mask = functional.pad(mask, (0, short))
    scale = size**-0.5 if scaling is None else scaling
    if not dropout and (tokens > LONG or not torch.is_grad_enabled()):
        if mask is not None:
            mask = mask.expand(rows, 1, tokens, tokens + short)
        states = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
        return states.transpose(1, 2).contiguous(), None
    flat = [part.reshape(rows * heads, -1, size) for part in (query, key, value)]
    bias = query.new_zeros(1, 1, 1, tokens + short)
    if mask is not None:
        bias = query.new_zeros(mask.shape).masked_fill_(~mask, torch.finfo(query.dtype).min / 2)
    bias = bias.expand(rows, heads, tokens, -1).reshape(rows * heads, tokens, -1)
    weights = torch.baddbmm(bias, flat[0], flat[1].transpose(1, 2), alpha=scale).softmax(-1)
    states = drop(weights.to(query.dtype), dropout) @ flat[2]
    return states.view(rows, heads, tokens, size).transpose(1, 2).contiguous(), None


def drop(values: Tensor, probability: float) -> Tensor:
    """Each value zero with a probability, in steps of 1/65536, the others scaled so that the mean stays.

    Source: Srivastava et al. 2014, Journal of Machine Learning Research 15
    """
    count = values.numel()
    chance = round(probability * 65536)
    if not chance or not count:
        return values
    if chance == 65536:
        return values * 0
    drawn = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    drawn = drawn.view(torch.int16)[:count].view(values.shape)
    kept = torch.ge(drawn, chance - 32768, out=torch.empty(values.shape, dtype=values.dtype))
    return values * kept.mul_(65536 / (65536 - chance))


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with `drop` on processors."""

    def forward(self, input: Tensor) -> Tensor:
        """Values, some of them zero in training mode."""
        if not self.training or input.device.type != "cpu":
            return super().forward(input)
        return drop(input, self.p)


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
