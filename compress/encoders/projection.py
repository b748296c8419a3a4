"""A narrower student that starts as its teacher seen through fewer dimensions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.folding import folded, goal, level
from compress.encoders.modeling_compress import FactoredEmbedding
from compress.encoders.modules import Parts, embeddings, extras, parts
from compress.encoders.narrowing import (
    Attended,
    Axes,
    correct,
    fit_norm,
    largest,
    narrow_attention,
    narrow_head,
    narrow_neurons,
    principal,
    uses,
)
from compress.encoders.rows import Projection
from compress.encoders.watch import NORMS, Seen, head, tokens, watch
from compress.encoders.widths import head_size
from compress.errors import InputError

POSITIONS = 32768
"""Positions of the teacher that are looked at, padding counted: enough for the covariances, few enough for memory."""


class _Goals(NamedTuple):
    """The teacher's states in the student's dimensions, which the student's parts should put out."""

    embedded: Tensor
    """Out of the embeddings' norm."""
    normed: dict[tuple[int, str], tuple[Tensor, Tensor]]
    """Of each norm of each layer module: the states once its block has added to them, and what the norm puts out."""
    head: list[tuple[Tensor, Tensor]]
    """Out of each Linear of the head, and into the next."""
    final: Tensor | None
    """Out of the norm behind the last layer."""


def project(
    student: PreTrainedModel, teacher: PreTrainedModel, chosen: Sequence[int], batches: Iterable[Mapping[str, Tensor]]
) -> None:
    """Give a student, in place, the weights that answer most like its teacher on the batches, without training.

    1. The directions that the teacher's hidden states vary in most become the student's dimensions.
    2. Each head's products (query with key, value with output) are cut to the student's head size by an SVD that
       weighs directions by their use; of surplus heads and neurons those whose output varies most are taken. Where
       all layers share one table of distances, a column a head (MPNet), they all take the same heads.
    3. While one forward pass goes through the student, each output Linear is corrected by least squares and each norm
       fitted, so that sums and states come as near to the teacher's as what lies before them allows. This bridges
       layers that were left out, too. A layer that serves all calls (ALBERT) gets its norms fitted only.

    `chosen[i]` is the teacher layer that student layer i starts from. A student of the teacher's own shape becomes the
    teacher. The same inputs give the same weights.
    Raises: InputError if there is no batch.
    """
    batch = _joined(batches, teacher.device)
    with torch.no_grad(), _evaluating(student, teacher):
        basis = _basis(student, teacher, chosen, batch)
        taken = _heads(student, teacher, chosen, basis, batch)
        goals = _narrow(student, teacher, chosen, basis, batch, taken)
        _correct(student, goals, batch)


def _joined(batches: Iterable[Mapping[str, Tensor]], device: torch.device) -> dict[str, Tensor]:
    """As many batches as fit, at least one, padded to one length and put together."""
    taken: list[Mapping[str, Tensor]] = []
    rows = length = 0
    for batch in batches:
        more, longest = batch["input_ids"].shape
        if taken and (rows + more) * max(length, longest) > POSITIONS:
            break
        taken.append(batch)
        rows, length = rows + more, max(length, longest)
    if not taken:
        raise InputError("a `pca` start needs training rows, and there is none.")
    return {
        name: torch.cat([functional.pad(one[name], (0, length - one[name].size(1))) for one in taken]).to(device)
        for name in taken[0]
        if name != "labels"
    }


def _basis(
    student: PreTrainedModel, teacher: PreTrainedModel, chosen: Sequence[int], batch: Mapping[str, Tensor]
) -> Tensor:
    """Orthonormal columns (teacher width, student width): the principal directions of what the norms put out.

    Where norms stand before the blocks: of the states that they norm, but for the norms' scales (see `folding`).
    """
    key = family_of(teacher).hidden_key
    wide, narrow = int(getattr(teacher.config, key)), int(getattr(student.config, key))
    if wide == narrow:
        return torch.eye(wide, device=teacher.device)
    moments = torch.zeros(wide, wide, dtype=torch.float64, device=teacher.device)
    before = family_of(teacher).pre_norm

    def add(call: int, seen: Seen) -> None:
        states = [seen["query"][0]] if call == 0 else []
        if call in chosen:
            states += [seen[name][0 if before else 1] for name in NORMS]
        if before and call == chosen[-1]:
            states.append(seen["layer"][1])
        if before:
            states = [functional.layer_norm(state, (wide,)) for state in states]
        for state in states:
            moments.add_((state.T @ state).double() / len(state))

    watch(teacher, batch, add)
    return level(moments, narrow) if before else principal(moments, narrow)


def _heads(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    chosen: Sequence[int],
    basis: Tensor,
    batch: Mapping[str, Tensor],
) -> list[int] | None:
    """The teacher's heads that every layer takes, by what they do in all chosen layers; None if each chooses its own.

    They come with their columns of the table of distances, which the student's is set to.
    """
    small, large = extras(student).head_bias, extras(teacher).head_bias
    if small is None or large is None:
        return None
    width, count = large.embedding_dim, min(small.embedding_dim, large.embedding_dim)
    taken = list(range(count))
    if count < width:
        size, scores = head_size(teacher.config), torch.zeros(width, device=teacher.device)

        def add(call: int, seen: Seen) -> None:
            scores.add_(uses(parts(teacher)[call], seen["output"][0], basis, size), alpha=chosen.count(call))

        watch(teacher, batch, add)
        taken = largest(scores, count)
    small.weight[:, :count] = large.weight[:, taken]
    return taken if count < width else None


def _narrow(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    chosen: Sequence[int],
    basis: Tensor,
    batch: Mapping[str, Tensor],
    taken: Sequence[int] | None,
) -> _Goals:
    """Set every weight of the student but its norms."""
    shared, before = family_of(teacher).shared_layers, family_of(teacher).pre_norm
    distances = _narrow_distances(student, teacher, basis)
    sizes = head_size(student.config), head_size(teacher.config)
    sources, ends = parts(teacher), parts(student)
    normed: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    entered: list[Tensor] = []
    thinned: list[Seen] = []

    def narrow(index: int, source: int, seen: Seen) -> None:
        end, part = ends[index], sources[source]
        reads = [folded(getattr(part, name), basis) if before else basis for name in NORMS]
        goals = _before(part, seen, basis) if before else _behind(seen, basis)
        states = goals["attention_norm"][1] if before else seen["query"][0] @ basis
        attended = Attended(states, seen["output"][0], distances)
        narrow_attention(end, part, attended, Axes(reads[0], basis), sizes, taken)
        narrow_neurons(end, part, seen["down"][0], Axes(reads[1], basis))
        normed.update({(index, name): pair for name, pair in goals.items()})

    def layer(call: int, seen: Seen) -> None:
        if call == 0:
            entered.append(seen["query"][0])
        if shared and call in chosen:
            thinned.append(_every(seen, len(thinned), len(chosen)))
        elif not shared:
            for index in [place for place, wanted in enumerate(chosen) if wanted == call]:
                narrow(index, call, seen)

    outside = watch(teacher, batch, layer)
    if shared:
        narrow(0, 0, _together(thinned))
    norm, final = extras(teacher).final_norm, None
    if norm is not None and outside.final is not None:
        final = goal(norm, outside.final, basis, [head(teacher)[0].weight])
    goals = narrow_head(head(student), head(teacher), outside.head, folded(norm, basis))
    return _Goals(_narrow_embeddings(student, teacher, basis, outside.embedded, entered[0]), normed, goals, final)


def _behind(seen: Seen, basis: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """The goals of a layer whose norms stand behind its blocks."""
    return {name: (seen[name][0] @ basis, seen[name][1] @ basis) for name in NORMS}


def _before(part: Parts, seen: Seen, basis: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """The goals of a layer whose norms stand before its blocks."""
    sums = seen["output_norm"][0], seen["layer"][1]
    readers = part.heads_in, part.neurons_in
    return {
        name: (added @ basis, goal(getattr(part, name), seen[name], basis, [reader.weight for reader in block]))
        for name, added, block in zip(NORMS, sums, readers, strict=True)
    }


def _narrow_distances(student: PreTrainedModel, teacher: PreTrainedModel, basis: Tensor) -> Tensor | None:
    """Set the embeddings of distances and their norm; returns what that should put out (distances, width)."""
    small, large = extras(student), extras(teacher)
    if small.relative is None or small.relative_norm is None or large.relative is None or large.relative_norm is None:
        return None
    states: Tensor = large.relative_norm(large.relative.weight) @ basis
    small.relative.weight.copy_(large.relative.weight @ basis)
    fit_norm(small.relative_norm, small.relative.weight, states)
    return states


def _every(seen: Seen, start: int, step: int) -> Seen:
    """Every so many tokens: of each call of a shared layer others, and of all calls together as many as of one."""
    return {name: (inputs[start::step], outputs[start::step]) for name, (inputs, outputs) in seen.items()}


def _together(calls: Sequence[Seen]) -> Seen:
    return {
        name: (torch.cat([seen[name][0] for seen in calls]), torch.cat([seen[name][1] for seen in calls]))
        for name in calls[0]
    }


def _narrow_embeddings(
    student: PreTrainedModel, teacher: PreTrainedModel, basis: Tensor, embedded: Tensor, entered: Tensor
) -> Tensor:
    """Set the embeddings but for their norm; returns what that should put out.

    Shapes: embedded (tokens, embedding width), see `watch.Outside`; entered (tokens, teacher width) what the teacher's first
    layer takes.

    Embeddings of the hidden width become narrower with it. Where a projection stands behind them, they stay as they are
    if they are as wide as the teacher's, and take their own principal directions otherwise.
    """
    large, small = embeddings(teacher), embeddings(student)
    width = _width(small.word)
    wanted = entered @ basis
    if small.projection is None:
        inner = basis if large.projection is None else large.projection.weight.T @ basis
        if family_of(teacher).pre_norm and basis.size(0) != basis.size(1):  # the norm's scales, and what it takes away
            inner = folded(large.norm, basis)
            inner = inner - inner.mean(0)
    else:
        same = width == _width(large.word)
        inner = torch.eye(width, device=basis.device) if same else principal(embedded.T @ embedded, width)
        wanted = wanted if family_of(teacher).norm_last else embedded @ inner
        into = inner if large.projection is None else large.projection.weight @ inner
        small.projection.weight.copy_(basis.T @ into)
        if small.projection.bias is not None:
            small.projection.bias.zero_()
            if large.projection is not None:
                small.projection.bias.copy_(basis.T @ large.projection.bias)
    for table, source in zip(small.tables, large.tables, strict=True):
        if isinstance(table, FactoredEmbedding) and isinstance(source, FactoredEmbedding):
            table.weight.copy_(source.weight)
            table.projection.weight.copy_(inner.T @ source.projection.weight)
        elif table is not None and source is not None:
            table.weight.copy_(source.weight @ inner)
    return wanted


def _width(table: nn.Embedding) -> int:
    """The width of what a table gives; of a factored one that is not its rank."""
    return table.projection.out_features if isinstance(table, FactoredEmbedding) else table.embedding_dim


def _correct(student: PreTrainedModel, goals: _Goals, batch: Mapping[str, Tensor]) -> None:
    """Correct output Linears and fit norms in the order a forward pass meets them, each on what the student gives it."""
    real = batch["attention_mask"].bool()
    shared, before = family_of(student).shared_layers, family_of(student).pre_norm

    with ExitStack() as hooks:

        def at(module: nn.Module | Projection, act: Callable[[Tensor], None]) -> None:
            def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
                handle.remove()  # DeBERTa makes queries of distances next
                act(tokens(args[0], real))

            handle = hooks.enter_context(module.register_forward_pre_hook(hook))

        def fit_at(norm: nn.LayerNorm, wanted: Tensor) -> None:
            at(norm, lambda inputs: fit_norm(norm, inputs, wanted))

        norm = embeddings(student).norm
        assert norm is not None  # families without one are refused
        fit_at(norm, goals.embedded)
        for (index, name), (sums, states) in goals.normed.items():
            part = parts(student)[index]
            if shared:
                fit_norm(getattr(part, name), sums, states)
                continue
            first, last = (part.query, part.output) if name == "attention_norm" else (part.up, part.down)
            _bridge(at, None if before else first, last, getattr(part, name), sums, states)
        others = extras(student)
        if others.final_norm is not None and goals.final is not None:
            fit_at(others.final_norm, goals.final)
        if others.head_norm is not None:
            fit_at(others.head_norm, goals.head[-2][1])
        for linear, (wanted, _) in zip(head(student), goals.head, strict=True):
            at(linear, lambda inputs, linear=linear, wanted=wanted: correct(linear, inputs, wanted))  # type: ignore[misc]
        student(**batch)


def _bridge(
    at: Callable[[Any, Callable[[Tensor], None]], None],
    first: Projection | None,
    last: nn.Linear,
    norm: nn.Module,
    sums: Tensor,
    states: Tensor,
) -> None:
    """Correct one block: what it adds to its input should give the sums, and the norm the states.

    `first` takes the block's input; None where the norm does (a first layer of ModernBERT: the module in its place).
    """
    kept: list[Tensor] = []

    def fit(inputs: Tensor) -> None:
        if first is None:
            kept.append(inputs)
        if isinstance(norm, nn.LayerNorm):
            fit_norm(norm, inputs, states)

    if first is not None:
        at(first, kept.append)
    at(norm, fit)
    at(last, lambda inputs: correct(last, inputs, sums - kept[-1]))


@contextmanager
def _evaluating(*models: nn.Module) -> Iterator[None]:
    before = [model.training for model in models]
    try:
        for model in models:
            model.train(False)
        yield
    finally:
        for model, mode in zip(models, before, strict=True):
            model.train(mode)
