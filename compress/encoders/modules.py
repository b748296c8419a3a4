"""The modules of an encoder by what they do, found by the paths of its family's row.

Importing this module imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from compress.encoders.families import family_of
from compress.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

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


def base(model: PreTrainedModel) -> PreTrainedModel:
    """The encoder without a task head; the model itself if it has none."""
    return cast("PreTrainedModel", model.base_model)


def layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layer modules, first to last; for a family with a shared layer that one layer (see `widths.calls`)."""
    return list(base(model).get_submodule(family_of(model).layers).children())


def parts(model: PreTrainedModel) -> list[Parts]:
    """The modules of every layer of `layers(model)`.

    Raises: InputError if this family's layers do not have them.
    """
    row = family_of(model)
    if reason := dict(row.refuses).get("prune"):
        raise InputError(f"the inside of {row.model_type} layers cannot be read or cut: {reason}.")
    paths = [getattr(row, name) for name in Parts._fields]
    return [Parts(*(_share(layer, path) for path in paths)) for layer in layers(model)]


def _share(layer: nn.Module, path: str | None) -> Any:
    """The module at a path, or the share of a Linear that it names."""
    if path is None or ":" not in path:
        return None if path is None else layer.get_submodule(path)
    from compress.encoders.rows import Rows

    place, _, share = path.partition(":")
    return Rows(cast("nn.Linear", layer.get_submodule(place)), *map(int, share.split("/")))


def embeddings(model: PreTrainedModel) -> Embeddings:
    """The embedding modules."""
    row, root = family_of(model), base(model)
    return Embeddings(
        word=cast("nn.Embedding", root.get_submodule(row.word)),
        position=cast("nn.Embedding | None", _find(root, row.position)),
        token_type=cast("nn.Embedding | None", _find(root, row.token_type)),
        task_type=cast("nn.Embedding | None", _find(root, row.task_type)),
        norm=cast("nn.LayerNorm | None", _find(root, row.embedding_norm)),
        projection=cast("nn.Linear | None", _find(root, row.projection)),
    )


def pooler(model: PreTrainedModel) -> nn.Linear | None:
    """The Linear of the pooler (hidden -> hidden), part of the pretrained encoder; None where the model has none."""
    path = family_of(model).pooler
    return cast("nn.Linear | None", _find(base(model), path) or _find(model, path))


def extras(model: PreTrainedModel) -> Extras:
    """What this family has outside its layers beside embeddings, pooler and classifier."""
    row, root = family_of(model), base(model)
    paths = {name: getattr(row, name) for name in Extras._fields}
    return Extras(**{name: _find(model if name == "head_norm" else root, path) for name, path in paths.items()})  # type: ignore[arg-type]


def classifier(model: PreTrainedModel) -> list[nn.Linear]:
    """The Linears of the classification head, first to last, without the pooler; empty for a bare encoder.

    The first of `[pooler, *classifier]` that is there reads the last hidden state of the first token (ModernBERT: or the
    mean of all; XLNet: of the last token).
    """
    found = (_find(model, path) for path in family_of(model).classifier)
    return [cast("nn.Linear", module) for module in found if module is not None]


def _find(root: nn.Module, path: str | None) -> nn.Module | None:
    """The module at a path, or None if this model was built without it."""
    try:
        return root.get_submodule(path) if path else None
    except AttributeError:
        return None
