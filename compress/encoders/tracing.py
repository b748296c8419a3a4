"""A model as tracing compilers take it: eager attention, masks made of few operators, one tensor out."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import base

Inputs = tuple[Any, ...]
Named = dict[str, Any]


def traceable(model: PreTrainedModel, *, masked: float = torch.finfo(torch.float32).min) -> PreTrainedModel:
    """A copy in fp32 and eval mode, on the processor, to be traced; the model is left as it is.

    Its attention is eager, whose graph is the simplest, and encoders that take a ready mask are given one: what is added
    to the scores, 0 or `masked`.
    """
    made: nn.Module = copy.deepcopy(model)
    made.to("cpu", torch.float32).eval().requires_grad_(False)
    eager = cast(PreTrainedModel, made)
    eager.set_attn_implementation("eager")

    def spread(_encoder: nn.Module, args: Inputs, inputs: Named) -> tuple[Inputs, Named]:
        padded = ~inputs["attention_mask"][:, None, None, :].bool()
        return args, {**inputs, "attention_mask": torch.where(padded, masked, 0.0)}

    if family_of(model).mask_as_given:
        base(eager).register_forward_pre_hook(spread, with_kwargs=True)
    if family_of(model).float_mask:
        base(eager).register_forward_pre_hook(_floats, with_kwargs=True)
    return eager


def _floats(_encoder: nn.Module, args: Inputs, inputs: Named) -> tuple[Inputs, Named]:
    """Give an encoder a mask of floats, as exporters take no `1.0 - mask` of integers."""
    return args, {**inputs, "attention_mask": inputs["attention_mask"].float()}


def example(model: PreTrainedModel, rows: int = 2, tokens: int = 8) -> dict[str, Tensor]:
    """Inputs to trace with (int64, rows x tokens), by name in the family's order, the first row padded behind."""
    made = {name: torch.ones(rows, tokens, dtype=torch.int64) for name in family_of(model).inputs}
    made["attention_mask"][0, tokens - 3 :] = 0
    if "token_type_ids" in made:
        made["token_type_ids"][:] = 0
    return made


class Logits(nn.Module):
    """A traceable copy of a model that gives the logits alone."""

    def __init__(self, model: PreTrainedModel, *, masked: float = torch.finfo(torch.float32).min) -> None:
        super().__init__()
        self.model = traceable(model, masked=masked)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """(rows, tokens) each -> (rows, labels)."""
        more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **more).logits
        return logits


def bounded(model: PreTrainedModel, rows: int, tokens: int) -> tuple[tuple[Tensor, ...], tuple[dict[int, Any], ...]]:
    """What `torch.export` traces `Logits` with, for calls of up to so many rows and tokens: inputs and their shapes."""
    args = tuple(example(model, min(rows, 2), min(tokens, 8)).values())
    most = {"rows": rows, "tokens": tokens}
    # A size of 1 is fixed: no other fits, and the exporter takes no range of one number.
    sizes = {
        axis: torch.export.Dim(name, min=1, max=size) for axis, (name, size) in enumerate(most.items()) if size > 1
    }
    return args, (sizes,) * len(args)
