"""What happens inside an encoder during a forward pass, read by hooks: with SDPA attention too, and with gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.modules import base, extras, layers, parts
from compress.encoders.widths import head_size


@dataclass
class Captured:
    """The inside of the last forward pass. Lists have one entry a layer, first to last; a shared layer one a call.

    What was not asked for stays empty. Shapes: b rows, t tokens, d hidden width, h heads of the layer, s head size.
    """

    hidden_states: list[Tensor] = field(default_factory=list)
    """(b, t, d) what each layer puts out, behind its last norm (the last layer's: behind the norm of all, if any)."""
    queries: list[Tensor] = field(default_factory=list)
    """(b, h, t, s), turned by their positions as the keys are, where the family does so (ModernBERT).

    What a family adds to their products by the distance alone (MPNet) or made of it (DeBERTa) is no part of them.
    """
    keys: list[Tensor] = field(default_factory=list)
    """(b, h, t, s)."""
    values: list[Tensor] = field(default_factory=list)
    """(b, h, t, s)."""
    entered: Tensor | None = None
    left: Tensor | None = None
    read: int = 0
    """The place of the token that the task head reads."""
    """(b, t, d) what the encoder puts out."""

    @property
    def embeddings(self) -> Tensor:
        """(b, t, d) what enters the first layer.

        Raises: RuntimeError if it was not asked for, or before the first forward pass.
        """
        if self.entered is None:
            raise RuntimeError("no embeddings were captured: ask for `embeddings=True`, then call the model")
        return self.entered

    @property
    def sentence(self) -> Tensor:
        """(b, d) the state, in what the encoder puts out, of the token that the task head reads: the first (XLNet: the last).

        Raises: RuntimeError if it was not asked for, or before the first forward pass.
        """
        if self.left is None:
            raise RuntimeError("no sentence was captured: ask for `sentence=True`, then call the model")
        return self.left[:, self.read]

    def clear(self) -> None:
        """Forget everything."""
        self.hidden_states, self.queries, self.keys, self.values = [], [], [], []
        self.entered = self.left = None


@contextmanager
def capture(
    model: PreTrainedModel,
    *,
    hidden_states: bool = False,
    attention_scores: bool = False,
    relations: bool = False,
    embeddings: bool = False,
    sentence: bool = False,
) -> Iterator[Captured]:
    """Read the inside of every forward pass of the model (or of its encoder) while the context lasts.

    Each forward pass replaces what the one before left; what was read last stays readable after the context.
    `attention_scores` records queries and keys, which the scores are made of; `relations` queries, keys and values.
    Of a layer without heads they are empty.
    Raises: InputError if the architecture is not known.
    """
    size, row = head_size(model.config), family_of(model)
    captured = Captured(read=-1 if row.reads_last else 0)
    turns: list[tuple[Tensor, Tensor]] = []
    awaited: set[str] = set()

    def split(projected: Tensor) -> Tensor:
        return projected.reshape(*projected.shape[:-1], -1, size).transpose(1, 2)

    def rows_first(states: Tensor) -> Tensor:
        return states.transpose(0, 1) if row.tokens_first else states

    def start(_module: nn.Module, _args: Any) -> None:
        captured.clear()

    def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if captured.entered is None:
            captured.entered = rows_first(args[0] if args else kwargs["hidden_states"])

    def leave(_module: nn.Module, _args: Any, output: Tensor | tuple[Tensor, ...]) -> None:
        captured.hidden_states.append(rows_first(output if isinstance(output, Tensor) else output[0]))

    def final(_module: nn.Module, _args: Any, output: Tensor) -> None:
        captured.hidden_states[-1] = output

    def attend(_module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        awaited.update(("queries", "keys", "values"))
        turns[:] = [kwargs["position_embeddings"]] if row.rotary else []

    def take(into: str, *, turned: bool) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _args: Any, output: Tensor) -> None:
            if into in awaited:  # only the first time: a layer of DeBERTa makes them of distances too
                awaited.remove(into)
                heads = split(output)
                getattr(captured, into).append(_turned(heads, *turns[-1]) if turned else heads)

        return hook

    def finish(_module: nn.Module, _args: Any, output: Any) -> None:
        captured.left = output[0]

    def nothing(_module: nn.Module, _args: Any, output: tuple[Tensor, ...]) -> None:
        rows, tokens = output[0].shape[:2]
        for found in (captured.queries, captured.keys, *((captured.values,) if relations else ())):
            found.append(output[0].new_empty(rows, 0, tokens, size))

    with ExitStack() as hooks:
        hooks.enter_context(base(model).register_forward_pre_hook(start))
        if embeddings:
            hooks.enter_context(layers(model)[0].register_forward_pre_hook(enter, with_kwargs=True))
        if hidden_states:
            for layer in layers(model):
                hooks.enter_context(layer.register_forward_hook(leave))
            if (norm := extras(model).final_norm) is not None:
                hooks.enter_context(norm.register_forward_hook(final))
        for part in parts(model) if attention_scores or relations else ():
            if not part.query.out_features:
                hooks.enter_context(part.attention.register_forward_hook(nothing))
                continue
            hooks.enter_context(part.attention.register_forward_pre_hook(attend, with_kwargs=True))
            hooks.enter_context(part.query.register_forward_hook(take("queries", turned=row.rotary)))
            hooks.enter_context(part.key.register_forward_hook(take("keys", turned=row.rotary)))
            if relations:
                hooks.enter_context(part.value.register_forward_hook(take("values", turned=False)))
        if sentence:
            hooks.enter_context(base(model).register_forward_hook(finish))
        yield captured


def _turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries or keys (b, h, t, s) turned by their positions (Su et al. 2021, arXiv:2104.09864, section 3.4.2).

    Shapes: cosine and sine (b, t, s) of each token's angles, the same for both halves of s
    """
    one, other = heads.chunk(2, dim=-1)
    across = torch.cat((-other, one), dim=-1)
    return heads * cosine.unsqueeze(1) + across * sine.unsqueeze(1)
