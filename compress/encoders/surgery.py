"""Heads and feed-forward neurons switched off (masked) or taken out for good (cut)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch_pruning
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from compress.encoders.families import family_of, paths
from compress.encoders.modeling_compress import build, drop_attention, drop_neurons, tell
from compress.encoders.modules import extras, layers, parts
from compress.encoders.rows import Projection, linear_of, places
from compress.encoders.widths import Pruned, head_size, pruned_of
from compress.errors import CompressError, InputError

Attention = Literal["sdpa", "eager"]
"""How attention is computed; a family without SDPA is eager always."""


@dataclass(frozen=True)
class Masks:
    """What is kept of each layer module (a shared layer counts once): True = kept.

    A layer that keeps no head loses its attention block, one that keeps no neuron its feed-forward block.
    """

    heads: tuple[Tensor, ...]
    """Bool (heads,), for each layer."""
    neurons: tuple[Tensor, ...]
    """Bool (neurons,), for each layer."""

    @classmethod
    def full(cls, model: PreTrainedModel) -> Masks:
        """The masks that keep everything the model has now."""
        size, found = head_size(model.config), parts(model)
        return cls(
            heads=tuple(torch.ones(part.query.out_features // size, dtype=torch.bool) for part in found),
            neurons=tuple(torch.ones(part.up.out_features, dtype=torch.bool) for part in found),
        )


@contextmanager
def scaled(model: PreTrainedModel, heads: Sequence[Tensor], neurons: Sequence[Tensor]) -> Iterator[None]:
    """While the context lasts, each head's and each neuron's output is multiplied by a number; gradients flow to it.

    Shapes: heads[layer] (heads,) or (rows, heads); neurons[layer] (neurons,) or (rows, neurons). A head's output is
    scaled before the attention's output Linear, a neuron's behind its activation. A block that is gone has no factors;
    its empty tensor gets an empty gradient.
    """
    size = head_size(model.config)

    def multiply(scale: Tensor) -> Any:
        def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            factor = scale.unsqueeze(-2) if scale.dim() == 2 else scale
            return (args[0] * factor.to(args[0]), *args[1:])

        return hook

    def touch(scale: Tensor) -> Any:
        return lambda _module, _args, output: output + scale.sum().to(output)

    with ExitStack() as hooks:
        for part, head_scale, neuron_scale in zip(parts(model), heads, neurons, strict=True):
            wide = head_scale.repeat_interleave(size, dim=-1)
            for linear, scale in ((part.output, wide), (part.down, neuron_scale)):
                if scale.size(-1):
                    hooks.enter_context(linear.register_forward_pre_hook(multiply(scale)))
                else:
                    hooks.enter_context(linear.register_forward_hook(touch(scale)))
        yield


@contextmanager
def masked(model: PreTrainedModel, masks: Masks) -> Iterator[None]:
    """While the context lasts, the model answers as if what the masks leave out were cut.

    Raises: InputError if the masks do not fit the model.
    """
    _check(model, masks)
    with scaled(model, [mask.float() for mask in masks.heads], [mask.float() for mask in masks.neurons]):
        yield


def cut(model: PreTrainedModel, masks: Masks) -> PreTrainedModel:
    """A copy of the model without what the masks leave out; the model itself is not changed.

    Whole heads and whole neurons go, found through torch-pruning's dependency graph. Of a block that loses all of them
    the bias of its output Linear stays, with the residual and the norm. The config's `compress` entry records the kept
    heads (numbered as before the first cut), the widths and the head size; the config's own numbers stay those of the
    uncut model.
    Raises: InputError if the masks do not fit the model; CompressError if the dependency graph couples a layer's Linears
    with anything else.
    """
    _check(model, masks)
    size, before = head_size(model.config), pruned_of(model.config)
    result = copy.deepcopy(model)
    if all(mask.all() for mask in (*masks.heads, *masks.neurons)):
        return result
    graph = _graph(result) if family_of(model).traced else None
    modules = paths(family_of(model))
    for part, heads, neurons in zip(parts(result), masks.heads, masks.neurons, strict=True):
        if heads.any():
            _remove(graph, part.heads_in, part.output, heads.repeat_interleave(size))
        if neurons.any():
            _remove(graph, part.neurons_in, part.down, neurons)
    _restore(model, result)
    for layer, heads, neurons in zip(layers(result), masks.heads, masks.neurons, strict=True):
        if len(heads) and not heads.any():
            drop_attention(layer, modules)
        if len(neurons) and not neurons.any():
            drop_neurons(layer, modules)
    kept = [mask.nonzero().flatten().tolist() for mask in masks.heads]
    if before is not None:
        kept = [[ids[index] for index in chosen] for ids, chosen in zip(before.heads, kept, strict=True)]
    pruned = Pruned(
        heads=tuple(tuple(ids) for ids in kept),
        neurons=tuple(int(mask.sum()) for mask in masks.neurons),
        head_size=size,
        embedding_rank=None if before is None else before.embedding_rank,
    )
    record(result, pruned)
    nn.Module.to(result, model.device)
    return result


def shaped(
    kind: type[PreTrainedModel], config: PreTrainedConfig, pruned: Pruned, attention: Attention = "sdpa"
) -> PreTrainedModel:
    """A model of the pruned shape in eval mode, its weights not yet set; the random state is left as it was."""
    config._attn_implementation = attention if family_of(config).sdpa else "eager"
    with torch.random.fork_rng(devices=[]):
        model = build(kind, config, paths(family_of(config)), entry(pruned))
    model.train(False)
    record(model, pruned)
    return model


def record(model: PreTrainedModel, pruned: Pruned) -> None:
    """Write into the config and the attention modules what the model's Linears were cut to."""
    modules, written = paths(family_of(model)), entry(pruned)
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            module.config.compress = written
    for layer, kept in zip(layers(model), pruned.heads, strict=True):
        tell(layer, modules, kept, pruned.head_size)


def entry(pruned: Pruned) -> dict[str, Any]:
    """The config's `compress` entry."""
    made: dict[str, Any] = {
        "heads": [list(kept) for kept in pruned.heads],
        "neurons": list(pruned.neurons),
        "head_size": pruned.head_size,
    }
    if pruned.embedding_rank is not None:
        made["embedding_rank"] = pruned.embedding_rank
    return made


def _check(model: PreTrainedModel, masks: Masks) -> None:
    full = Masks.full(model)
    for kind, given, whole in (("heads", masks.heads, full.heads), ("neurons", masks.neurons, full.neurons)):
        if len(given) != len(whole):
            raise InputError(f"the masks are for {len(given)} layers, the model has {len(whole)}.")
        for layer, (mask, ones) in enumerate(zip(given, whole, strict=True)):
            if mask.dtype != torch.bool or mask.shape != ones.shape:
                raise InputError(
                    f"layer {layer}: the mask of the {kind} is {mask.dtype} {tuple(mask.shape)}, "
                    f"the model needs torch.bool {tuple(ones.shape)}."
                )


def _graph(model: PreTrainedModel) -> Any:
    """The dependency graph, traced in eval mode with every parameter asking for gradients (the tracer follows them).

    Traced on the CPU, as other devices trace other attention kernels.
    """
    nn.Module.to(model, "cpu")
    model.train(False).requires_grad_(True)
    if (bias := extras(model).head_bias) is not None:  # it would couple the heads of all layers
        bias.requires_grad_(False)
    ids = torch.full((2, 4), 5 % model.config.vocab_size)
    feeds = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.enable_grad():
        return torch_pruning.DependencyGraph().build_dependency(
            model, example_inputs=feeds, output_transform=lambda output: output[0]
        )


def _remove(graph: Any, outs: Sequence[Projection], reader: nn.Linear, keep: Tensor) -> None:
    """Take what is not kept out of the output channels of `outs` and the input channels of `reader`, and of nothing else.

    Without a graph (None) that is done as it is said; with one it must find the same.
    """
    gone = (~keep).nonzero().flatten().tolist()
    if not gone:
        return
    rows: dict[nn.Linear, list[int]] = {}
    for out in outs:
        rows.setdefault(linear_of(out), []).extend(places(out, gone))
    if graph is None:
        for linear, indices in rows.items():
            torch_pruning.prune_linear_out_channels(linear, indices)
        torch_pruning.prune_linear_in_channels(reader, gone)
        return
    first = linear_of(outs[0])
    group = graph.get_pruning_group(first, torch_pruning.prune_linear_out_channels, idxs=rows[first])
    real = {*graph.model.modules(), *graph.model.parameters()}
    coupled = {
        (dep.target.module, bool(graph.is_out_channel_pruning_fn(dep.handler)), tuple(sorted(indices)))
        for dep, indices in group.items
        if dep.target.module in real
    }
    wanted = {
        *((linear, True, tuple(sorted(indices))) for linear, indices in rows.items()),
        (reader, False, tuple(gone)),
    }
    if coupled != wanted:
        names = {module: name for name, module in graph.model.named_modules()}
        found = ", ".join(sorted({names.get(module, "a bare parameter") for module, _, _ in coupled}))
        raise CompressError(
            f"the dependency graph of {names[first]} is not the one its family's row promises: {found}."
        )
    group.prune()


def _restore(model: PreTrainedModel, result: PreTrainedModel) -> None:
    """Give the copy the modes that tracing changed."""
    for before, after in zip(model.parameters(), result.parameters(), strict=True):
        after.requires_grad_(before.requires_grad)
    for module, twin in zip(model.modules(), result.modules(), strict=True):
        twin.training = module.training
