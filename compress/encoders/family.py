"""What a row of the table of architectures says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One architecture. Paths are dotted module paths below the base model, below one layer, or below the whole model."""

    model_type: str
    """The config's `model_type`, and the family's name."""

    # below the base model
    layers: str = "encoder.layer"
    word: str = "embeddings.word_embeddings"
    position: str | None = "embeddings.position_embeddings"
    token_type: str | None = "embeddings.token_type_embeddings"
    task_type: str | None = None
    embedding_norm: str = "embeddings.LayerNorm"
    projection: str | None = None
    pooler: str | None = None
    head_bias: str | None = None
    """An Embedding (distances -> heads), shared by all layers, of what is added to each head's scores."""
    relative: str | None = None
    """An Embedding (distances -> hidden), shared by all layers, that queries and keys are made of too."""
    relative_norm: str | None = None
    final_norm: str | None = None
    """Behind the last layer, where norms stand before the blocks."""

    # below one layer; `path:1/3` is the second of three equal shares of a Linear's outputs
    attention: str = "attention.self"
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    output: str = "attention.output.dense"
    attention_norm: str = "attention.output.LayerNorm"
    up: str = "intermediate.dense"
    gate: str | None = None
    """What the activated neurons are multiplied by."""
    down: str = "output.dense"
    output_norm: str = "output.LayerNorm"

    # below the classification model
    classifier: tuple[str, ...] = ("classifier",)
    head_norm: str | None = None

    # attributes of the attention module; None where it reads both off its Linears
    head_count: str | None = "num_attention_heads"
    heads_width: str | None = "all_head_size"
    bias_argument: int = 2
    """The place of the scores' `head_bias` among its arguments."""

    # keys of the config
    hidden_key: str = "hidden_size"
    heads_key: str = "num_attention_heads"
    layers_key: str = "num_hidden_layers"
    intermediate_key: str = "intermediate_size"
    embedding_key: str | None = None
    follows: tuple[str, ...] = ()
    """Further widths that are the hidden width's."""
    requires: tuple[tuple[str, object], ...] = (("is_decoder", False), ("position_embedding_type", "absolute"))
    """Config keys and the only value this program knows how to handle."""
    states: tuple[tuple[str, object], ...] = ()
    """The same for keys that the config must have: left out, they mean something else."""
    usual: tuple[tuple[str, object], ...] = ()
    """Keys that a model from scratch gets beside those."""
    one_a_layer: tuple[str, ...] = ()
    """Keys that list something for each layer."""

    # behaviour
    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids")
    """The inputs the model takes, in the order an exported graph has them."""
    shared_layers: bool = False
    """One layer is called again and again."""
    positions_after_padding: bool = False
    """Position numbers start behind the padding id, so that many positions are lost."""
    pre_norm: bool = False
    """Norms stand before the blocks, and the first layer has no attention norm."""
    rotary: bool = False
    """Queries and keys are turned by their positions, which the attention module is handed as `position_embeddings`."""
    traced: bool = True
    """torch-pruning's dependency graph follows its Linears; else what this row names is cut."""
    refuses: tuple[tuple[str, str], ...] = ()
    """What cannot be done with it, each with the reason: `pca` (a student's start) or `scratch` (a new teacher)."""
    sdpa: bool = True
    """Its attention runs as one fused operation; else there is `eager` alone."""
    mask_as_given: bool = True
    """A mask of four dimensions is added to the attention scores as it is."""
    padding: int | None = None
    """The padding id that the code counts with, whatever the config says."""
