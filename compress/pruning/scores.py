"""How much each head and each neuron of a model matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import Parts, parts
from compress.encoders.surgery import scaled
from compress.encoders.widths import head_size
from compress.errors import CompressError, TrainingFailed
from compress.importance import Reads
from compress.pruning.moments import input_moments
from compress.registry import IMPORTANCE


class Scores(NamedTuple):
    """One score a unit, one tensor a layer module (a shared layer: one in all)."""

    heads: tuple[Tensor, ...]
    """(heads of the layer,) each."""
    neurons: tuple[Tensor, ...]
    """(neurons of the layer,) each."""


def unit_scores(
    model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]], importance: str, *, seed: int = 0
) -> Scores:
    """The scores of all heads and neurons by the importance score of that name.

    A score that reads weights gets, for each head, its rows of the query, key and value Linears and its columns of the
    attention output; for each neuron, its rows of `up` (and of its gate) and its column of `down`. One that reads
    gradients gets the gradient of each sample's task loss by a factor on the unit's output, taken at 1. One that reads moments gets the
    columns of the attention output or of `down`, and the mean products of their inputs. The model is run without
    dropout and is left as it was. `seed` is for a score that draws random numbers.

    Shapes: batches of input_ids, attention_mask … (rows, tokens) and labels (rows,) -> one (units,) tensor a layer each
    Units:  those of the score
    Raises: UnknownName for a score that is not there; CompressError if rows are needed and there is no batch;
    TrainingFailed if a score is no finite number
    """
    formula = IMPORTANCE.load(importance)
    heads, neurons = _material(model, batches, formula.reads, seed)
    scores = Scores(tuple(formula(*given) for given in heads), tuple(formula(*given) for given in neurons))
    for kind, layers in scores._asdict().items():
        for number, layer in enumerate(layers):
            if not bool(layer.isfinite().all()):
                raise TrainingFailed(f"the {importance} scores of the {kind} of layer {number} are no finite numbers.")
    return scores


def _material(
    model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]], reads: Reads, seed: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The arguments of a score for the heads and for the neurons of each layer."""
    layers, size = parts(model), head_size(model.config)
    if reads == "generator":
        drawn = torch.Generator().manual_seed(seed)
        counts = [layer.output.in_features // size for layer in layers], [layer.down.in_features for layer in layers]
        return [(count, drawn) for count in counts[0]], [(count, drawn) for count in counts[1]]
    if reads == "moments":
        with still(model):
            heads, neurons = input_moments(model, batches)
        return (
            [(_columns(layer.output, size), moments) for layer, moments in zip(layers, heads, strict=True)],
            [(_columns(layer.down, 1), moments) for layer, moments in zip(layers, neurons, strict=True)],
        )
    heads, neurons = _weights(layers, size) if reads == "weights" else unit_gradients(model, batches)
    return [(units,) for units in heads], [(units,) for units in neurons]


def _columns(linear: nn.Linear, size: int) -> Tensor:
    """(units, size, out) the columns of a Linear that read each unit."""
    return linear.weight.detach().cpu().T.reshape(linear.in_features // size, size, linear.out_features)


def _weights(layers: list[Parts], size: int) -> tuple[list[Tensor], list[Tensor]]:
    heads, neurons = [], []
    for layer in layers:
        count = layer.output.in_features // size
        linears = [*(part.weight for part in layer.heads_in), layer.output.weight.T]
        heads.append(
            torch.cat([weight.detach().reshape(count, weight.numel() // max(count, 1)) for weight in linears], dim=1)
        )
        linears = [*(part.weight for part in layer.neurons_in), layer.down.weight.T]
        neurons.append(torch.cat([weight.detach() for weight in linears], dim=1))
    return heads, neurons


def unit_gradients(
    model: PreTrainedModel, batches: Iterable[Mapping[str, Tensor]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Each sample's gradient of the task loss by the factors on the outputs of each layer's heads and neurons, at 1.

    Shapes: batches as for `unit_scores` -> (samples, heads) and (samples, neurons), one a layer
    Raises: CompressError if there is no batch
    """
    layers, size = parts(model), head_size(model.config)
    widths = [layer.output.in_features // size for layer in layers] + [layer.down.in_features for layer in layers]
    found: list[list[Tensor]] = [[] for _ in widths]
    taken = {*family_of(model).inputs, "labels"}  # rows may be encoded for a teacher of another family
    with still(model), torch.enable_grad():
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
def still(model: PreTrainedModel) -> Iterator[None]:
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
