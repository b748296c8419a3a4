"""What happens inside an encoder during a forward pass, read by hooks: with SDPA attention too, and with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders.families import base, head_size, layers, parts


@dataclass
class Captured:
    """The inside of the last forward pass. Lists have one entry a layer, first to last; a shared layer one a call.

    What was not asked for stays empty. Shapes: b rows, t tokens, d hidden width, h heads of the layer, s head size.
    """

    hidden_states: list[Tensor] = field(default_factory=list)
    """(b, t, d) what each layer puts out, behind its last norm."""
    queries: list[Tensor] = field(default_factory=list)
    """(b, h, t, s)."""
    keys: list[Tensor] = field(default_factory=list)
    """(b, h, t, s)."""
    values: list[Tensor] = field(default_factory=list)
    """(b, h, t, s)."""
    entered: Tensor | None = None
    left: Tensor | None = None
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
        """(b, d) the first token's state in what the encoder puts out.

        Raises: RuntimeError if it was not asked for, or before the first forward pass.
        """
        if self.left is None:
            raise RuntimeError("no sentence was captured: ask for `sentence=True`, then call the model")
        return self.left[:, 0]

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
    Raises: InputError if the architecture is not known.
    """
    captured, size = Captured(), head_size(model.config)

    def split(projected: Tensor) -> Tensor:
        return projected.view(*projected.shape[:-1], -1, size).transpose(1, 2)

    def start(_module: nn.Module, _args: Any) -> None:
        captured.clear()

    def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if captured.entered is None:
            captured.entered = args[0] if args else kwargs["hidden_states"]

    def leave(_module: nn.Module, _args: Any, output: Tensor | tuple[Tensor, ...]) -> None:
        captured.hidden_states.append(output if isinstance(output, Tensor) else output[0])

    def query(_module: nn.Module, _args: Any, output: Tensor) -> None:
        captured.queries.append(split(output))

    def key(_module: nn.Module, _args: Any, output: Tensor) -> None:
        captured.keys.append(split(output))

    def value(_module: nn.Module, _args: Any, output: Tensor) -> None:
        captured.values.append(split(output))

    def finish(_module: nn.Module, _args: Any, output: Any) -> None:
        captured.left = output[0]

    with ExitStack() as hooks:
        hooks.enter_context(base(model).register_forward_pre_hook(start))
        if embeddings:
            hooks.enter_context(layers(model)[0].register_forward_pre_hook(enter, with_kwargs=True))
        if hidden_states:
            for layer in layers(model):
                hooks.enter_context(layer.register_forward_hook(leave))
        for part in parts(model) if attention_scores or relations else ():
            hooks.enter_context(part.query.register_forward_hook(query))
            hooks.enter_context(part.key.register_forward_hook(key))
            if relations:
                hooks.enter_context(part.value.register_forward_hook(value))
        if sentence:
            hooks.enter_context(base(model).register_forward_hook(finish))
        yield captured
