"""What the parts of a teacher see in one forward pass."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import classifier, embeddings, extras, layers, parts, pooler

NORMS = ("attention_norm", "output_norm")

Seen = dict[str, tuple[Tensor, Tensor]]
"""What went in and out of modules: of real tokens (tokens, width), of a head's Linears (rows, width); `layer`: out twice."""


class Outside(NamedTuple):
    """What the teacher showed outside its layers."""

    embedded: Tensor
    """Of the embeddings' width: out of their norm, or, where that stands behind the projection, out of the words' table."""
    head: list[tuple[Tensor, Tensor]]
    """In and out of each Linear of the head."""
    final: tuple[Tensor, Tensor] | None
    """In and out of the norm behind the last layer, if there is one."""


def head(model: PreTrainedModel) -> list[nn.Linear]:
    """The Linears between the first token's last state and the logits."""
    found = pooler(model)
    return [*([found] if found is not None else []), *classifier(model)]


def watch(teacher: PreTrainedModel, batch: Mapping[str, Tensor], each: Callable[[int, Seen], None]) -> Outside:
    """Run the teacher; `each` is told what a layer's parts saw whenever one ends."""
    real = batch["attention_mask"].bool()
    inside: Seen = {}
    outside: Seen = {}
    ended = 0

    with ExitStack() as hooks:

        def record(module: nn.Module, into: Seen, name: str) -> None:
            def hook(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
                if name not in into:  # a layer of DeBERTa makes queries of distances next
                    into[name] = (tokens(args[0], real), tokens(output, real))

            hooks.enter_context(module.register_forward_hook(hook))

        def end(_module: nn.Module, _args: Any, output: Tensor | tuple[Tensor, ...]) -> None:
            nonlocal ended
            states = tokens(output if isinstance(output, Tensor) else output[0], real)
            inside["layer"] = (states, states)
            each(ended, dict(inside))
            inside.clear()
            ended += 1

        for layer, part in zip(layers(teacher), parts(teacher), strict=True):
            for name in ("query", "output", "down", *NORMS):
                record(getattr(part, name), inside, name)
            hooks.enter_context(layer.register_forward_hook(end))
        last = embeddings(teacher).word if family_of(teacher).norm_last else embeddings(teacher).norm
        assert last is not None  # families without a norm are refused
        record(last, outside, "embedded")
        if (final := extras(teacher).final_norm) is not None:
            record(final, outside, "final")
        linears = head(teacher)
        for place, linear in enumerate(linears):
            record(linear, outside, str(place))
        teacher(**batch)
    behind = [outside[str(place)] for place in range(len(linears))]
    return Outside(outside["embedded"][1], behind, outside.get("final"))


def tokens(values: Tensor, real: Tensor) -> Tensor:
    """(rows, tokens, width) -> (real tokens, width); a head's (rows, width) as they are."""
    return values[real] if values.dim() == 3 else values
