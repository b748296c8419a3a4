"""What goes into the Linears that put the blocks' outputs together, summed up over tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import parts
from compress.errors import CompressError


def input_moments(model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """The mean products of the inputs of each layer's attention output and `down` Linears, over real tokens.

    A shared layer's are taken over all its calls. The model should be in eval mode.

    Shapes: batches of input_ids, attention_mask … (rows, tokens) -> (inputs, inputs) float64 a layer, of both kinds
    Raises: CompressError if there is no batch
    """
    layers = parts(model)
    linears = [*(layer.output for layer in layers), *(layer.down for layer in layers)]
    sums = [torch.zeros(2 * (linear.in_features,), dtype=torch.float64, device=model.device) for linear in linears]
    counts = [0] * len(linears)
    real = torch.empty(0)

    def gather(place: int) -> Any:
        def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
            inputs = args[0][real][:, : linears[place].in_features].double()  # none where the block is gone
            sums[place].addmm_(inputs.T, inputs)
            counts[place] += len(inputs)

        return hook

    with ExitStack() as hooks, torch.inference_mode():
        for place, linear in enumerate(linears):
            hooks.enter_context(linear.register_forward_pre_hook(gather(place)))
        for batch in batches:
            inputs = {name: batch[name].to(model.device) for name in family_of(model).inputs if name in batch}
            real = inputs["attention_mask"].bool()
            model(**inputs)
    if not real.numel():
        raise CompressError("importance scores from activations need at least one batch.")
    means = [(total / max(count, 1)).cpu() for total, count in zip(sums, counts, strict=True)]
    return means[: len(layers)], means[len(layers) :]
