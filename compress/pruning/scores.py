"""How much each head and each neuron of a model matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.encoders.families import family_of, head_size, parts
from compress.encoders.modules import Parts
from compress.encoders.surgery import scaled
from compress.errors import CompressError
from compress.registry import IMPORTANCE


class Scores(NamedTuple):
    """One score a unit, one tensor a layer module (a shared layer: one in all)."""

    heads: tuple[Tensor, ...]
    """(heads of the layer,) each."""
    neurons: tuple[Tensor, ...]
    """(neurons of the layer,) each."""


def unit_scores(model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]], importance: str) -> Scores:
    """The scores of all heads and neurons by the importance score of that name.

    A score that reads weights gets, for each head, its rows of the query, key and value Linears and its columns of the
    attention output; for each neuron, its rows of `up` (and of its gate) and its column of `down`. One that reads gradients gets the
    gradient of each sample's task loss by a factor on the unit's output, taken at 1; the model is run without dropout
    and is left as it was.

    Shapes: batches of input_ids, attention_mask … (rows, tokens) and labels (rows,) -> one (units,) tensor a layer each
    Units:  those of the score
    Raises: UnknownName for a score that is not there; CompressError if gradients are asked for and there is no batch
    """
    formula = IMPORTANCE.load(importance)
    layers = parts(model)
    size = head_size(model.config)
    if formula.reads == "weights":
        heads, neurons = _weights(layers, size)
    else:
        heads, neurons = _gradients(model, layers, size, batches)
    return Scores(tuple(formula(units) for units in heads), tuple(formula(units) for units in neurons))


def _weights(layers: list[Parts], size: int) -> tuple[list[Tensor], list[Tensor]]:
    heads, neurons = [], []
    for layer in layers:
        count = layer.output.in_features // size
        linears = [*(part.weight for part in layer.heads_in), layer.output.weight.T]
        heads.append(torch.cat([weight.detach().reshape(count, -1) for weight in linears], dim=1))
        linears = [*(part.weight for part in layer.neurons_in), layer.down.weight.T]
        neurons.append(torch.cat([weight.detach() for weight in linears], dim=1))
    return heads, neurons


def _gradients(
    model: PreTrainedModel, layers: list[Parts], size: int, batches: Iterable[Mapping[str, Tensor]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Per-sample gradients (samples, units) by the factors of each layer's heads and neurons."""
    widths = [layer.output.in_features // size for layer in layers] + [layer.down.in_features for layer in layers]
    found: list[list[Tensor]] = [[] for _ in widths]
    taken = {*family_of(model).inputs, "labels"}  # rows may be encoded for a teacher of another family
    with _still(model), torch.enable_grad():
        for batch in batches:
            inputs = {name: values.to(model.device) for name, values in batch.items() if name in taken}
            rows = len(inputs["labels"])
            factors = [torch.ones(rows, width, device=model.device, requires_grad=True) for width in widths]
            with scaled(model, factors[: len(layers)], factors[len(layers) :]):
                loss = model(**inputs).loss
            # The model gives the mean over rows; a row's own factors see its own loss only in the sum.
            for gathered, gradient in zip(found, torch.autograd.grad(loss * rows, factors), strict=True):
                gathered.append(gradient.cpu())
    if not found[0]:
        raise CompressError("importance scores from gradients need at least one batch.")
    joined = [torch.cat(gathered) for gathered in found]
    return joined[: len(layers)], joined[len(layers) :]


@contextmanager
def _still(model: PreTrainedModel) -> Iterator[None]:
    """Without dropout and without gradients of the weights."""
    training = model.training
    asked = [parameter.requires_grad for parameter in model.parameters()]
    model.train(False).requires_grad_(False)
    try:
        yield
    finally:
        model.train(training)
        for parameter, needed in zip(model.parameters(), asked, strict=True):
            parameter.requires_grad_(needed)
