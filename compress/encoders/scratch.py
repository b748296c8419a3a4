"""An encoder with random weights, for teachers that are trained from nothing."""

from collections.abc import Sequence
from typing import cast

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from compress.config.settings import Scratch
from compress.encoders.families import FAMILIES
from compress.encoders.family import unturned
from compress.encoders.widths import lost_positions
from compress.errors import InputError, UnknownName


def from_scratch(
    settings: Scratch, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], *, seed: int
) -> PreTrainedModel:
    """A classification model of the asked shape whose vocabulary is the tokenizer's; the seed fixes its weights.

    Raises: UnknownName if no family has the name; InputError if it cannot be made from scratch.
    """
    row = FAMILIES.get(settings.family)
    if row is None:
        raise UnknownName("family", settings.family, FAMILIES)
    if reason := dict(row.refuses).get("scratch"):
        raise InputError(f"a {row.model_type} model cannot be made from scratch: {reason}.")
    shape = settings.architecture
    if shape.hidden and shape.heads and (what := unturned(row, shape.hidden, shape.heads)):
        raise InputError(what)
    keys = {
        row.layers_key: shape.layers,
        row.hidden_key: shape.hidden,
        row.heads_key: shape.heads,
        row.intermediate_key: shape.intermediate,
    }
    if row.embedding_key:
        keys[row.embedding_key] = shape.hidden
    padding = int(tokenizer.pad_token_id)
    config = AutoConfig.for_model(
        row.model_type,
        **dict((*row.states, *row.usual)),
        **keys,
        vocab_size=len(tokenizer),
        max_position_embeddings=settings.max_positions + lost_positions(row, padding),
        pad_token_id=padding,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return cast("PreTrainedModel", model)
