"""What happens inside an encoder during a forward pass, read by hooks: with SDPA attention too, and with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.family import Family
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
    """(b, t, d) what the encoder puts out."""
    read: int = 0
    """The place of the token that the task head reads."""

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
    row = family_of(model)
    captured = Captured(read=-1 if row.reads_last else 0)
    hooks = _Hooks(captured, row, head_size(model.config), relations=relations)
    with ExitStack() as stack:
        stack.enter_context(base(model).register_forward_pre_hook(hooks.start))
        if embeddings:
            stack.enter_context(layers(model)[0].register_forward_pre_hook(hooks.enter, with_kwargs=True))
        if hidden_states:
            for layer in layers(model):
                stack.enter_context(layer.register_forward_hook(hooks.leave))
            if (norm := extras(model).final_norm) is not None:
                stack.enter_context(norm.register_forward_hook(hooks.normed))
        for part in parts(model) if attention_scores or relations else ():
            if not part.query.out_features:
                stack.enter_context(part.attention.register_forward_hook(hooks.headless))
                continue
            stack.enter_context(part.attention.register_forward_pre_hook(hooks.attend, with_kwargs=True))
            stack.enter_context(part.query.register_forward_hook(partial(hooks.project, "queries")))
            stack.enter_context(part.key.register_forward_hook(partial(hooks.project, "keys")))
            if relations:
                stack.enter_context(part.value.register_forward_hook(partial(hooks.project, "values")))
        if sentence:
            stack.enter_context(base(model).register_forward_hook(hooks.end))
        yield captured


class _Hooks:
    """What is called within a forward pass and writes down what it sees."""

    def __init__(self, captured: Captured, row: Family, size: int, *, relations: bool) -> None:
        self._captured, self._row, self._size, self._relations = captured, row, size, relations
        self._turn: tuple[Tensor, Tensor] | None = None
        self._awaited: set[str] = set()

    def start(self, _module: nn.Module, _args: Any) -> None:
        """The encoder is called."""
        self._captured.clear()

    def enter(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The first layer is called, once for each layer if it is shared."""
        if self._captured.entered is None:
            self._captured.entered = self._rows_first(args[0] if args else kwargs["hidden_states"])

    def leave(self, _module: nn.Module, _args: Any, output: Tensor | tuple[Tensor, ...]) -> None:
        """A layer is done."""
        states = output if isinstance(output, Tensor) else output[0]
        self._captured.hidden_states.append(self._rows_first(states))

    def normed(self, _module: nn.Module, _args: Any, output: Tensor) -> None:
        """The norm behind all layers is done."""
        self._captured.hidden_states[-1] = output

    def attend(self, _module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
        """A layer's attention is called."""
        self._awaited = {"queries", "keys", "values"}
        self._turn = kwargs["position_embeddings"] if self._row.rotary else None

    def project(self, into: str, _module: nn.Module, _args: Any, output: Tensor) -> None:
        """A Linear of queries, keys or values is done; the first time counts: DeBERTa's make them of distances too."""
        if into not in self._awaited:
            return
        self._awaited.remove(into)
        heads = output.reshape(*output.shape[:-1], -1, self._size).transpose(1, 2)
        turned = heads if self._turn is None or into == "values" else _turned(heads, *self._turn)
        getattr(self._captured, into).append(turned)

    def headless(self, _module: nn.Module, _args: Any, output: tuple[Tensor, ...]) -> None:
        """An attention without heads is done."""
        rows, tokens = output[0].shape[:2]
        inside = self._captured
        for found in (inside.queries, inside.keys, *((inside.values,) if self._relations else ())):
            found.append(output[0].new_empty(rows, 0, tokens, self._size))

    def end(self, _module: nn.Module, _args: Any, output: Any) -> None:
        """The encoder is done."""
        self._captured.left = output[0]

    def _rows_first(self, states: Tensor) -> Tensor:
        return states.transpose(0, 1) if self._row.tokens_first else states


def _turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Queries or keys (b, h, t, s) turned by their positions (Su et al. 2021, arXiv:2104.09864, section 3.4.2).

    Shapes: cosine and sine (b, t, s) of each token's angles, the same for both halves of s
    """
    one, other = heads.chunk(2, dim=-1)
    across = torch.cat((-other, one), dim=-1)
    return heads * cosine.unsqueeze(1) + across * sine.unsqueeze(1)
