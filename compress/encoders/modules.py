"""The modules of an encoder by what they do. Importing this module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from compress.encoders.rows import Projection


class Parts(NamedTuple):
    """The modules of one layer."""

    attention: nn.Module
    """The module that splits the heads."""
    query: Projection
    """(hidden -> heads * head size), heads in order; so are `key` and `value`."""
    key: Projection
    value: Projection
    output: nn.Linear
    """(heads * head size -> hidden), after the heads are joined."""
    attention_norm: nn.LayerNorm
    """Behind the attention block's residual sum; in a pre-norm family before the block (none in the first layer)."""
    up: Projection
    """(hidden -> neurons)."""
    gate: Projection | None
    """(hidden -> neurons), what the activated neurons are multiplied by, if anything."""
    down: nn.Linear
    """(neurons -> hidden)."""
    output_norm: nn.LayerNorm
    """Behind the feed-forward block's residual sum: the layer's output. In a pre-norm family before the block."""

    @property
    def heads_in(self) -> tuple[Projection, ...]:
        """What has rows for each head."""
        return self.query, self.key, self.value

    @property
    def neurons_in(self) -> tuple[Projection, ...]:
        """What has a row for each neuron."""
        return (self.up,) if self.gate is None else (self.up, self.gate)


class Embeddings(NamedTuple):
    """The modules that make the first layer's input."""

    word: nn.Embedding
    position: nn.Embedding | None
    token_type: nn.Embedding | None
    task_type: nn.Embedding | None
    norm: nn.LayerNorm | None
    """Behind their sum (XLNet: none)."""
    projection: nn.Linear | None
    """(embedding width -> hidden), where the two differ (ELECTRA) or always (ALBERT)."""

    @property
    def tables(self) -> tuple[nn.Embedding | None, ...]:
        """The embeddings that are added up."""
        return self.word, self.position, self.token_type, self.task_type


class Extras(NamedTuple):
    """Modules that only some families have, outside the layers."""

    head_bias: nn.Embedding | None
    """(distances -> heads of the model before any cut), added to the scores of every layer (MPNet)."""
    relative: nn.Embedding | None
    """(distances -> hidden), which every layer makes queries and keys of (DeBERTa)."""
    relative_norm: nn.LayerNorm | None
    final_norm: nn.LayerNorm | None
    """Behind the last layer (ModernBERT)."""
    head_norm: nn.LayerNorm | None
    """Between the Linears of the task head (ModernBERT)."""
