"""Encoder architectures: one row each, which says where the parts are and what the config calls the numbers.

Everything else in this program reaches a model through the accessors below. Importing this module imports no torch.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from compress.config.settings import Architecture
from compress.encoders.family import Family, unturned
from compress.encoders.modules import Embeddings, Extras, Parts
from compress.encoders.xlnet import XLNET
from compress.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel


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
_XLM_ROBERTA = replace(_ROBERTA, model_type="xlm-roberta")
_ERNIE = replace(_BERT, model_type="ernie", task_type="embeddings.task_type_embeddings")
_MPNET = replace(
    _ROBERTA,
    model_type="mpnet",
    mask_as_given=False,
    token_type=None,
    head_bias="encoder.relative_attention_bias",
    attention="attention.attn",
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    output="attention.attn.o",
    attention_norm="attention.LayerNorm",
    refuses=(("scratch", "its code counts positions by a padding id of 1, and a learned vocabulary pads with 0"),),
    sdpa=False,
    padding=1,
)
_DEBERTA = replace(
    _BERT,
    model_type="deberta-v2",
    mask_as_given=False,
    position=None,
    token_type=None,
    projection="embeddings.embed_proj",
    norm_last=True,
    pooler=None,
    head_key="attention_head_size",
    relative="encoder.rel_embeddings",
    relative_norm="encoder.LayerNorm",
    query="attention.self.query_proj",
    key="attention.self.key_proj",
    value="attention.self.value_proj",
    classifier=("pooler.dense", "classifier"),
    follows=("pooler_hidden_size",),
    requires=(("conv_kernel_size", 0), ("type_vocab_size", 0)),
    states=(
        ("relative_attention", True),
        ("share_att_key", True),
        ("norm_rel_ebd", "layer_norm"),
        ("position_biased_input", False),
    ),
    usual=(("pos_att_type", "c2p|p2c"), ("position_buckets", 256)),
    inputs=("input_ids", "attention_mask"),
    sdpa=False,
)
_MODERNBERT = Family(
    model_type="modernbert",
    mask_as_given=False,
    layers="layers",
    word="embeddings.tok_embeddings",
    position=None,
    token_type=None,
    embedding_norm="embeddings.norm",
    pooler="head.dense",
    final_norm="final_norm",
    attention="attn",
    query="attn.Wqkv:0/3",
    key="attn.Wqkv:1/3",
    value="attn.Wqkv:2/3",
    output="attn.Wo",
    attention_norm="attn_norm",
    up="mlp.Wi:0/2",
    gate="mlp.Wi:1/2",
    down="mlp.Wo",
    output_norm="mlp_norm",
    head_norm="head.norm",
    head_count=None,
    heads_width=None,
    usual=(("bos_token_id", None), ("eos_token_id", None), ("cls_token_id", None), ("sep_token_id", None)),
    one_a_layer=("layer_types",),
    inputs=("input_ids", "attention_mask"),
    pre_norm=True,
    rotary=True,
    traced=False,
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
    projects_equal=True,
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

_ROWS = (_ALBERT, _BERT, _DEBERTA, _DISTILBERT, _ELECTRA, _ERNIE, _MODERNBERT, _MPNET, _ROBERTA, _XLM_ROBERTA, XLNET)

FAMILIES: Mapping[str, Family] = {row.model_type: row for row in _ROWS}
"""All rows by name."""


CUT = "compress"
"""The `model_type` of a cut model's `config.json`."""

PRUNED_TEACHER = "a student cannot take its shape from a pruned teacher. Take it from the model before the cut."
BLOCK_GONE = "a block of one of its layers is gone. Cut hidden dimensions before blocks."

_CUT_PARTS = (
    *("layers", "word", "attention", "query", "key", "value", "output", "attention_norm", "up", "gate", "down"),
    *("head_count", "heads_width", "head_bias", "bias_argument"),
)


class Shape(NamedTuple):
    """The widths of an encoder. `heads` and `intermediate` have one number a layer; a shared layer is counted each time."""

    layers: int
    hidden: int
    heads: tuple[int, ...]
    intermediate: tuple[int, ...]


class Pruned(NamedTuple):
    """What a pruned model's config records under `compress`; one entry a layer module (a shared layer: one in all).

    A layer without heads has no attention block, one without neurons no feed-forward block.
    """

    heads: tuple[tuple[int, ...], ...]
    """The kept heads, numbered as in the model before any cut."""
    neurons: tuple[int, ...]
    """The kept feed-forward widths."""
    head_size: int
    """Width of one head."""
    embedding_rank: int | None = None
    """Rank of the word table, if it was factored."""

    @property
    def has_all_blocks(self) -> bool:
        """Whether no layer lost its attention or its feed-forward block."""
        return all(self.heads) and all(self.neurons)


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
    wanted = [(key, needed, getattr(config, key, needed)) for key, needed in row.requires]
    wanted += [(key, needed, getattr(config, key, None)) for key, needed in row.states]
    for key, needed, seen in wanted:
        if seen != needed:
            raise InputError(f"a {row.model_type} model with `{key}: {seen}` is not supported, only `{key}: {needed}`.")
    return row


def stored(entry: Mapping[str, Any]) -> PreTrainedConfig:
    """The keys of a `config.json` as the accessors of this module read them, without transformers.

    That of a cut model holds the encoder's own below `encoder` (see `modeling_compress`). A key that the file leaves to
    its class's default is not there: reading it raises AttributeError.
    Raises: InputError as `family_of` does.
    """
    config = cast("PreTrainedConfig", SimpleNamespace(**{"model_type": None, **plain(entry)}))
    family_of(config)
    return config


def plain(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of a `config.json` as the encoder's own class has them, with a cut model's `compress` entry among them."""
    encoder = entry.get("encoder")
    if entry.get("model_type") != CUT or not isinstance(encoder, Mapping):
        return entry
    return {**encoder, "model_type": entry.get("encoder_type"), "compress": entry.get("compress") or {}}


def paths(row: Family) -> dict[str, str | int | None]:
    """Where a row says the parts are that a cut changes, as `modeling_compress.build` takes it."""
    return {name: getattr(row, name) for name in _CUT_PARTS}


def unprojected(row: Family) -> str | None:
    """Why the hidden states of a family cannot be projected on fewer dimensions; None if they can."""
    reason = dict(row.refuses).get("pca")
    return f"the hidden states of a {row.model_type} model cannot be narrowed: {reason}." if reason else None


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


def head_size(config: PreTrainedConfig) -> int:
    """Width of one attention head; a cut does not change it."""
    pruned = pruned_of(config)
    if pruned is not None:
        return pruned.head_size
    row = family_of(config)
    return int(getattr(config, row.hidden_key) // getattr(config, row.heads_key))


def lost_positions(row: Family, pad_id: int | None) -> int:
    """How many positions of the table no token has."""
    padding = (pad_id or 0) if row.padding is None else row.padding
    return padding + 1 if row.positions_after_padding else 0


def max_length(config: PreTrainedConfig) -> int:
    """The longest input, in tokens with the special ones, that the positions reach; `sys.maxsize` if nothing ends."""
    row = family_of(config)
    if row.position is None and not row.rotary:
        return sys.maxsize
    return int(config.max_position_embeddings) - (
        lost_positions(row, config.pad_token_id) if row.positions_after_padding else 0
    )


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
            embedding_rank=None if entry.get("embedding_rank") is None else int(entry["embedding_rank"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the `compress` entry of config.json cannot be read: {error!r}.") from error
    fits = (
        len(pruned.heads) == len(pruned.neurons) == modules
        and pruned.head_size >= 1
        and all(kept == tuple(sorted(set(kept) & set(range(limits[0])))) for kept in pruned.heads)
        and all(0 <= width <= limits[1] for width in pruned.neurons)
        and (pruned.embedding_rank is None or pruned.embedding_rank >= 1)
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


def embedding_width(config: PreTrainedConfig) -> int:
    """The width of the word embeddings; of factored ones the rank."""
    row, pruned = family_of(config), pruned_of(config)
    if pruned is not None and pruned.embedding_rank is not None:
        return pruned.embedding_rank
    return int(getattr(config, row.embedding_key or row.hidden_key))


def configured(
    config: PreTrainedConfig, architecture: Architecture, chosen: Sequence[int] | None = None
) -> PreTrainedConfig:
    """A copy of a teacher's config with another shape; what the architecture leaves out is the teacher's.

    What a config lists for each layer, such as local and global attention, follows the `chosen` teacher layers, of
    which there is one for each of the student's, or else begins as the teacher's does. An embedding width equal to the
    hidden width follows it; another one (ALBERT, small ELECTRA) stays.
    Raises: InputError if the heads do not divide the width or cannot be so wide, or if the teacher is pruned: classes make
    whole models only.
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
    if pruned_of(config) is not None:
        raise InputError(PRUNED_TEACHER)
    if not asked:
        return result
    for key in (row.embedding_key, *row.follows):
        if key and architecture.hidden and getattr(config, key) == getattr(config, row.hidden_key):
            asked[key] = architecture.hidden
    for key, number in asked.items():
        setattr(result, key, number)
    for key in row.one_a_layer:
        kinds, count = getattr(config, key), int(getattr(result, row.layers_key))
        taken = chosen if chosen and len(chosen) == count else range(count)
        setattr(result, key, [kinds[layer % len(kinds)] for layer in taken])
    hidden, heads = getattr(result, row.hidden_key), getattr(result, row.heads_key)
    if hidden % heads:
        raise InputError(
            f"`hidden: {hidden}` is not a multiple of `heads: {heads}`. Give both in the student's architecture."
        )
    if what := unturned(row, hidden, heads):
        raise InputError(what)
    if row.head_key and hasattr(result, row.head_key):
        setattr(result, row.head_key, hidden // heads)
    return result
