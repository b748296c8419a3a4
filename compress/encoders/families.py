"""Encoder architectures: one row each, which says where the parts are and what the config calls the numbers.

Everything else in this program reaches a model through `modules`, and its numbers through `widths`. Importing this module
imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from compress.encoders.family import Family
from compress.encoders.xlnet import XLNET
from compress.errors import InputError

if TYPE_CHECKING:
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
    spare_embedding_key="embedding_size",
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

_CUT_PARTS = (
    *("layers", "word", "attention", "query", "key", "value", "output", "attention_norm", "up", "gate", "down"),
    *("head_count", "heads_width", "head_bias", "bias_argument"),
)


_MOST_LAYERS, _LARGEST = 200, 10_000_000
"""Far above what any model has."""


def family_of(model_or_config: PreTrainedModel | PreTrainedConfig) -> Family:
    """The row of a model or of its config.

    Raises: InputError if no row has its `model_type`, or if the config asks for a variant that the row does not cover.
    """
    config = cast("PreTrainedConfig", getattr(model_or_config, "config", model_or_config))
    row = FAMILIES.get(config.model_type) if isinstance(config.model_type, str) else None
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
    """The keys of a `config.json` as `widths` reads them, without transformers.

    That of a cut model holds the encoder's own below `encoder` (see `modeling_compress`). A key that the file leaves to
    its class's default is not there: reading it raises AttributeError.
    Raises: InputError as `family_of` does, and `check_numbers`.
    """
    config = cast("PreTrainedConfig", SimpleNamespace(**{"model_type": None, **plain(entry)}))
    row = family_of(config)
    try:
        check_numbers(row, plain(entry))
    except InputError as error:
        raise InputError(f"config.json: {error}") from error
    return config


def check_numbers(row: Family, entry: Mapping[str, Any]) -> None:
    """See that the sizes in a `config.json` are whole numbers of which a model could be made.

    Raises: InputError if not
    """
    sizes = (row.hidden_key, row.heads_key, row.intermediate_key, "vocab_size", "max_position_embeddings")
    for key, most in ((row.layers_key, _MOST_LAYERS), *((key, _LARGEST) for key in sizes)):
        size = entry.get(key)
        if key in entry and not (isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= most):
            raise InputError(f"`{key}` is {str(size)[:40]!r}. Give a whole number from 1 to {most:,}.")


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
