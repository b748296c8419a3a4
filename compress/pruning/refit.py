"""After a cut: the weights that remain are set anew by least squares, so that the model answers as before the cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import layers, parts
from compress.errors import CompressError
from compress.pruning.least_squares import Fitted, Squares
from compress.pruning.scores import still

BLOCKS = ("output", "down")
"""The Linears that put a block's output together: attention and feed-forward, in the order they run."""

Batches = Sequence[Mapping[str, Tensor]]


class Report(NamedTuple):
    """How far a block's output lay from the uncut model's, as a weighted mean square over tokens."""

    layer: int
    block: str
    fitted: Fitted


def refit(
    cut: PreTrainedModel, whole: PreTrainedModel, batches: Batches, *, told: Callable[[int, int], None] | None = None
) -> list[Report]:
    """Fit, in place, the output Linears of a cut model to the uncut one; both are otherwise left as they were.

    Layer after layer, first the attention's output Linear, then the feed-forward block's: full least squares with a
    small ridge around the weights that the Linear has. The inputs come from the part of the cut model that is fitted
    already. The goal is that the residual sum behind the block is the uncut model's, so what earlier blocks could not
    make up for is made up for here too. Only real tokens count, each by how much it matters in the uncut model: the
    squared gradient of the margin between the two highest logits by the block's output at that token (behind the last
    attention only the first token of a row has any). A block that has no units left gets the best constant.

    A shared layer (ALBERT) is fitted once, to all its calls together, each fed what the uncut model feeds it.

    Shapes: batches of input_ids, attention_mask … (rows, tokens); told(done, total) after every layer
    Returns: the error before and after each fit, never larger after it
    Source: He et al. 2017, arXiv:1707.06168, section 3.1 (least squares on what remains), section 3.2 (from the inputs of
            the pruned part, to the uncut model's outputs); the weights of tokens are this program's own
    Raises: CompressError if there is no batch, or if the two models do not go through the same layers
    """
    if not batches:
        raise CompressError("a refit needs at least one batch.")
    shared = family_of(whole).shared_layers
    with still(cut), still(whole):
        passes = _passes(cut, whole, batches, keep_states=shared)
        found: list[Report] = []
        for number in range(len(layers(cut))):
            calls = [call for one in passes for call in (one if shared else one[number : number + 1])]
            with torch.no_grad():
                found += _fit_layer(cut, whole, number, calls)
                if not shared and number + 1 < len(layers(cut)):
                    for one in passes:
                        one[number].hand_on(one[number + 1], layers(cut)[number], layers(whole)[number])
            if told is not None:
                told(number + 1, len(layers(cut)))
    return found


class _Arguments(NamedTuple):
    """What a layer is called with beside the hidden states."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class _Call:
    """One call of a layer on one batch, in both models."""

    real: Tensor
    """Bool (rows, tokens)."""
    cut: _Arguments
    whole: _Arguments
    cut_states: Tensor | None
    """(rows, tokens, hidden) what enters the layer; None until the layer before is done."""
    whole_states: Tensor | None
    weights: dict[str, Tensor] = field(default_factory=dict)
    """(real tokens,) for each block."""

    def hand_on(self, later: _Call, cut: nn.Module, whole: nn.Module) -> None:
        """Give the next layer what this one puts out, and forget what entered it."""
        later.cut_states = _run(cut, self.cut_states, self.cut)
        later.whole_states = _run(whole, self.whole_states, self.whole)
        self.cut_states = self.whole_states = None


def _run(layer: nn.Module, states: Tensor | None, given: _Arguments) -> Tensor:
    output = layer(states, *given.args, **given.kwargs)
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found


def _passes(cut: PreTrainedModel, whole: PreTrainedModel, batches: Batches, *, keep_states: bool) -> list[list[_Call]]:
    """The calls of all layers, batch by batch, with the weights of the tokens."""
    passes = []
    for batch in batches:
        real = batch["attention_mask"].bool().to(whole.device)
        with torch.enable_grad(), _block_outputs(whole) as outputs:
            large, logits = _entered(whole, batch, keep_states=keep_states)
            weights = _weights(logits, outputs, real)
        with torch.no_grad():
            small, _ = _entered(cut, batch, keep_states=keep_states)
        if len(small) != len(large):
            raise CompressError(f"a refit is for models of the same layers, not of {len(small)} and {len(large)}.")
        calls = []
        for place, ((one, states), (other, goal)) in enumerate(zip(small, large, strict=True)):
            own = {block: found[place] for block, found in weights.items() if place < len(found)}
            # A shared layer's calls are fitted together: each starts where the uncut model's does.
            calls.append(_Call(real, one, other, goal if keep_states else states, goal, own))
        passes.append(calls)
    return passes


def _entered(
    model: PreTrainedModel, batch: Mapping[str, Tensor], *, keep_states: bool
) -> tuple[list[tuple[_Arguments, Tensor | None]], Tensor]:
    """What each call of a layer is given (the hidden states of the first, or of all), and the logits."""
    found: list[tuple[_Arguments, Tensor | None]] = []

    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rest = {name: value for name, value in kwargs.items() if name != "hidden_states"}
        states = args[0] if args else kwargs["hidden_states"]
        found.append((_Arguments(args[1:], rest), states.detach() if keep_states or not found else None))

    with ExitStack() as hooks:
        for layer in layers(model):
            hooks.enter_context(layer.register_forward_pre_hook(hook, with_kwargs=True))
        inputs = {name: batch[name].to(model.device) for name in family_of(model).inputs if name in batch}
        return found, model(**inputs).logits


@contextmanager
def _block_outputs(model: PreTrainedModel) -> Iterator[dict[str, list[Tensor]]]:
    """What the output Linears put out, call by call, ready for gradients."""
    found: dict[str, list[Tensor]] = {block: [] for block in BLOCKS}

    def keep(block: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Tensor) -> None:
            if not output.requires_grad:
                output.requires_grad_(True)
            found[block].append(output)

        return hook

    with ExitStack() as hooks:
        for part in parts(model):
            for block in BLOCKS:
                hooks.enter_context(getattr(part, block).register_forward_hook(keep(block)))
        yield found


def _weights(logits: Tensor, outputs: Mapping[str, list[Tensor]], real: Tensor) -> dict[str, list[Tensor]]:
    """How much each real token of each block's output matters."""
    highest = logits.topk(min(2, logits.size(-1)), dim=-1).values
    margin = highest[:, 0] - highest[:, 1] if highest.size(-1) == 2 else highest[:, 0]
    flat = [output for block in BLOCKS for output in outputs[block]]
    gradients = iter(torch.autograd.grad(margin.sum(), flat))
    return {block: [next(gradients)[real].double().square().sum(-1) for _ in outputs[block]] for block in BLOCKS}


def _fit_layer(cut: PreTrainedModel, whole: PreTrainedModel, number: int, calls: Sequence[_Call]) -> list[Report]:
    """Fit both blocks of a layer to all its calls."""
    small, large = parts(cut)[number], parts(whole)[number]
    smaller, larger = layers(cut)[number], layers(whole)[number]
    pre_norm = bool(getattr(family_of(whole), "pre_norm", False))
    goals = []
    for call in calls:
        seen = _Seen()
        with seen.watching(large):
            output = _run(larger, call.whole_states, call.whole)
        goals.append({block: seen.sums(block, call.whole_states, output, pre_norm)[call.real] for block in BLOCKS})
    found = []
    for block in BLOCKS:
        linear: nn.Linear = getattr(small, block)
        squares = Squares(linear)
        for call, goal in zip(calls, goals, strict=True):
            seen = _Seen()
            with seen.watching(small):
                output = _run(smaller, call.cut_states, call.cut)
            missing = goal[block] - seen.sums(block, call.cut_states, output, pre_norm)[call.real]
            squares.add(seen.inputs[block][call.real], missing, call.weights[block])
        found.append(Report(number, block, squares.solve()))
    return found


class _Seen:
    """The inside of one run of a layer."""

    def __init__(self) -> None:
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.before_norm: Tensor | None = None

    @contextmanager
    def watching(self, part: Any) -> Iterator[None]:
        """Read what goes in and out of the layer's output Linears and into its last norm."""

        def through(block: str) -> Any:
            def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
                # Where a block is gone, what still passes there is none of its Linear's inputs.
                self.inputs[block], self.outputs[block] = args[0][..., : module.in_features], output

            return hook

        def norm(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
            self.before_norm = args[0]

        with ExitStack() as hooks:
            for block in BLOCKS:
                hooks.enter_context(getattr(part, block).register_forward_hook(through(block)))
            hooks.enter_context(part.output_norm.register_forward_pre_hook(norm))
            yield

    def sums(self, block: str, states: Tensor | None, output: Tensor, pre_norm: bool) -> Tensor:
        """The residual sum behind a block: behind the attention the layer's input is added to its output."""
        if block == "output":
            assert states is not None
            return states + self.outputs["output"]
        if pre_norm:
            return output
        assert self.before_norm is not None
        return self.before_norm
