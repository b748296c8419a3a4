"""Encoder architectures: one row each, which says where the parts are and what the config calls the numbers.

Everything else in this program reaches a model through the accessors below. Importing this module imports no torch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from compress.config.settings import Architecture
from compress.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Family:
    """One architecture. Paths are dotted module paths below the base model, below one layer, or below the whole model."""

    model_type: str
    """The config's `model_type`, and the family's name."""

    # below the base model
    layers: str = "encoder.layer"
    word: str = "embeddings.word_embeddings"
    position: str = "embeddings.position_embeddings"
    token_type: str | None = "embeddings.token_type_embeddings"
    embedding_norm: str = "embeddings.LayerNorm"
    projection: str | None = None
    pooler: str | None = None

    # below one layer
    attention: str = "attention.self"
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    output: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    up: str = "intermediate.dense"
    down: str = "output.dense"
    output_norm: str = "output.LayerNorm"

    # below the classification model
    classifier: tuple[str, ...] = ("classifier",)

    # attributes of the attention module
    head_count: str = "num_attention_heads"
    heads_width: str = "all_head_size"

    # keys of the config
    hidden_key: str = "hidden_size"
    heads_key: str = "num_attention_heads"
    layers_key: str = "num_hidden_layers"
    intermediate_key: str = "intermediate_size"
    embedding_key: str | None = None
    requires: tuple[tuple[str, object], ...] = (("is_decoder", False), ("position_embedding_type", "absolute"))
    """Config keys and the only value this program knows how to handle."""

    # behaviour
    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids")
    """The inputs the model takes, in the order an exported graph has them."""
    shared_layers: bool = False
    """One layer is called again and again."""
    positions_after_padding: bool = False
    """Position numbers start behind the padding id, so that many positions are lost."""


_BERT = Family(model_type="bert", pooler="pooler.dense")
_ELECTRA = replace(
    _BERT,
    model_type="electra",
    pooler=None,
    projection="embeddings_project",
    embedding_key="embedding_size",
    classifier=("classifier.dense", "classifier.out_proj"),
)
_ROBERTA = replace(
    _BERT,
    model_type="roberta",
    classifier=("classifier.dense", "classifier.out_proj"),
    inputs=("input_ids", "attention_mask"),
    positions_after_padding=True,
)
_DISTILBERT = Family(
    model_type="distilbert",
    layers="transformer.layer",
    token_type=None,
    attention="attention",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    output="attention.out_lin",
    attention_norm="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    output_norm="output_layer_norm",
    classifier=("pre_classifier", "classifier"),
    head_count="n_heads",
    heads_width="dim",
    hidden_key="dim",
    heads_key="n_heads",
    layers_key="n_layers",
    intermediate_key="hidden_dim",
    inputs=("input_ids", "attention_mask"),
)
_ALBERT = Family(
    model_type="albert",
    layers="encoder.albert_layer_groups.0.albert_layers",
    projection="encoder.embedding_hidden_mapping_in",
    pooler="pooler",
    attention="attention",
    query="attention.query",
    key="attention.key",
    value="attention.value",
    output="attention.dense",
    attention_norm="attention.LayerNorm",
    up="ffn",
    down="ffn_output",
    output_norm="full_layer_layer_norm",
    embedding_key="embedding_size",
    requires=(*_BERT.requires, ("num_hidden_groups", 1), ("inner_group_num", 1)),
    shared_layers=True,
)

FAMILIES: Mapping[str, Family] = {row.model_type: row for row in (_ALBERT, _BERT, _DISTILBERT, _ELECTRA, _ROBERTA)}
"""All rows by name."""


class Parts(NamedTuple):
    """The modules of one layer."""

    attention: nn.Module
    """The module that splits the heads."""
    query: nn.Linear
    """(hidden -> heads * head size), heads in order; so are `key` and `value`."""
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    """(heads * head size -> hidden), after the heads are joined."""
    attention_norm: nn.LayerNorm
    """Behind the attention block's residual sum."""
    up: nn.Linear
    """(hidden -> neurons)."""
    down: nn.Linear
    """(neurons -> hidden)."""
    output_norm: nn.LayerNorm
    """Behind the feed-forward block's residual sum: the layer's output."""


class Embeddings(NamedTuple):
    """The modules that make the first layer's input."""

    word: nn.Embedding
    position: nn.Embedding
    token_type: nn.Embedding | None
    norm: nn.LayerNorm
    projection: nn.Linear | None
    """(embedding width -> hidden), where the two differ (ELECTRA) or always (ALBERT)."""


class Shape(NamedTuple):
    """The widths of an encoder. `heads` and `intermediate` have one number a layer; a shared layer is counted each time."""

    layers: int
    hidden: int
    heads: tuple[int, ...]
    intermediate: tuple[int, ...]


class Pruned(NamedTuple):
    """What a pruned model's config records under `compress`; one entry a layer module (a shared layer: one in all)."""

    heads: tuple[tuple[int, ...], ...]
    """The kept heads, numbered as in the model before any cut."""
    neurons: tuple[int, ...]
    """The kept feed-forward widths."""
    head_size: int
    """Width of one head."""


def family_of(model_or_config: PreTrainedModel | PreTrainedConfig) -> Family:
    """The row of a model or of its config.

    Raises: InputError if no row has its `model_type`, or if the config asks for a variant that the row does not cover.
    """
    config = cast("PreTrainedConfig", getattr(model_or_config, "config", model_or_config))
    row = FAMILIES.get(config.model_type)
    if row is None:
        raise InputError(
            f"the architecture `{config.model_type}` is not known. Known: {', '.join(FAMILIES)}. "
            "To add it, write its row in compress/encoders/families.py."
        )
    for key, needed in row.requires:
        seen = getattr(config, key, needed)
        if seen != needed:
            raise InputError(f"a {row.model_type} model with `{key}: {seen}` is not supported, only `{key}: {needed}`.")
    return row


def stored(entry: Mapping[str, Any]) -> PreTrainedConfig:
    """The keys of a `config.json` as the accessors of this module read them, without transformers.

    A key that the file leaves to its class's default is not there: reading it raises AttributeError.
    Raises: InputError as `family_of` does.
    """
    config = cast("PreTrainedConfig", SimpleNamespace(**{"model_type": None, **entry}))
    family_of(config)
    return config


def base(model: PreTrainedModel) -> PreTrainedModel:
    """The encoder without a task head; the model itself if it has none."""
    return cast("PreTrainedModel", model.base_model)


def layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layer modules, first to last; for a family with a shared layer that one layer (see `calls`)."""
    return list(base(model).get_submodule(family_of(model).layers).children())


def calls(config: PreTrainedConfig) -> int:
    """How many layers a forward pass goes through, a shared layer counted each time."""
    return int(getattr(config, family_of(config).layers_key))


def parts(model: PreTrainedModel) -> list[Parts]:
    """The modules of every layer of `layers(model)`."""
    row = family_of(model)
    paths = [getattr(row, name) for name in Parts._fields]
    return [Parts(*(layer.get_submodule(path) for path in paths)) for layer in layers(model)]  # type: ignore[arg-type]


def embeddings(model: PreTrainedModel) -> Embeddings:
    """The embedding modules."""
    row, root = family_of(model), base(model)
    return Embeddings(
        word=cast("nn.Embedding", root.get_submodule(row.word)),
        position=cast("nn.Embedding", root.get_submodule(row.position)),
        token_type=cast("nn.Embedding | None", _find(root, row.token_type)),
        norm=cast("nn.LayerNorm", root.get_submodule(row.embedding_norm)),
        projection=cast("nn.Linear | None", _find(root, row.projection)),
    )


def pooler(model: PreTrainedModel) -> nn.Linear | None:
    """The Linear of the pooler (hidden -> hidden), part of the pretrained encoder; None where the model has none."""
    return cast("nn.Linear | None", _find(base(model), family_of(model).pooler))


def classifier(model: PreTrainedModel) -> list[nn.Linear]:
    """The Linears of the classification head, first to last, without the pooler; empty for a bare encoder.

    The first of `[pooler, *classifier]` that is there reads the last hidden state of the first token.
    """
    found = (_find(model, path) for path in family_of(model).classifier)
    return [cast("nn.Linear", module) for module in found if module is not None]


def _find(root: nn.Module, path: str | None) -> nn.Module | None:
    """The module at a path, or None if this model was built without it."""
    try:
        return root.get_submodule(path) if path else None
    except AttributeError:
        return None


def head_size(config: PreTrainedConfig) -> int:
    """Width of one attention head; a cut does not change it."""
    pruned = pruned_of(config)
    if pruned is not None:
        return pruned.head_size
    row = family_of(config)
    return int(getattr(config, row.hidden_key) // getattr(config, row.heads_key))


def max_length(config: PreTrainedConfig) -> int:
    """The longest input, in tokens with the special ones, that the position embeddings reach."""
    lost = int(config.pad_token_id or 0) + 1 if family_of(config).positions_after_padding else 0
    return int(config.max_position_embeddings) - lost


def pruned_of(config: PreTrainedConfig) -> Pruned | None:
    """What was cut, or None for an uncut model.

    Raises: InputError if the config's `compress` entry does not fit its layers.
    """
    entry = getattr(config, "compress", None)
    if entry is None:
        return None
    row = family_of(config)
    modules = 1 if row.shared_layers else calls(config)
    limits = (getattr(config, row.heads_key), getattr(config, row.intermediate_key))
    try:
        pruned = Pruned(
            heads=tuple(tuple(int(head) for head in kept) for kept in entry["heads"]),
            neurons=tuple(int(width) for width in entry["neurons"]),
            head_size=int(entry["head_size"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the `compress` entry of config.json cannot be read: {error!r}.") from error
    fits = (
        len(pruned.heads) == len(pruned.neurons) == modules
        and pruned.head_size >= 1
        and all(kept == tuple(sorted(set(kept) & set(range(limits[0])))) != () for kept in pruned.heads)
        and all(1 <= width <= limits[1] for width in pruned.neurons)
    )
    if not fits:
        raise InputError(
            f"the `compress` entry of config.json does not fit a {row.model_type} model of {modules} layers."
        )
    return pruned


def shape_of(config: PreTrainedConfig) -> Shape:
    """The widths that a config describes, after any cut."""
    row = family_of(config)
    count, pruned = calls(config), pruned_of(config)
    heads: tuple[int, ...] = (int(getattr(config, row.heads_key)),)
    neurons: tuple[int, ...] = (int(getattr(config, row.intermediate_key)),)
    if pruned is not None:
        heads, neurons = tuple(len(kept) for kept in pruned.heads), pruned.neurons
    times = count // len(heads)
    return Shape(count, int(getattr(config, row.hidden_key)), heads * times, neurons * times)


def configured(config: PreTrainedConfig, architecture: Architecture) -> PreTrainedConfig:
    """A copy of a teacher's config with another shape; what the architecture leaves out is the teacher's.

    An embedding width equal to the hidden width follows it; another one (ALBERT, small ELECTRA) stays.
    Raises: InputError if the heads do not divide the width, or if a pruned model is to be reshaped.
    """
    result = copy.deepcopy(config)
    row = family_of(config)
    keys = {
        "layers": row.layers_key,
        "hidden": row.hidden_key,
        "heads": row.heads_key,
        "intermediate": row.intermediate_key,
    }
    asked = {keys[name]: number for name, number in architecture.model_dump(exclude_none=True).items()}
    if not asked:
        return result
    if pruned_of(config) is not None:
        raise InputError(
            "a student cannot take another shape from a pruned model. Take it from the model before the cut."
        )
    if (
        row.embedding_key
        and getattr(config, row.embedding_key) == getattr(config, row.hidden_key)
        and architecture.hidden
    ):
        asked[row.embedding_key] = architecture.hidden
    for key, number in asked.items():
        setattr(result, key, number)
    hidden, heads = getattr(result, row.hidden_key), getattr(result, row.heads_key)
    if hidden % heads:
        raise InputError(
            f"`hidden: {hidden}` is not a multiple of `heads: {heads}`. Give both in the student's architecture."
        )
    return result
