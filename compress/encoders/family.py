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
    embedding_norm: str | None = "embeddings.LayerNorm"
    projection: str | None = None
    """What makes embeddings of a width of their own as wide as the hidden states."""
    projects_equal: bool = False
    """It is there even if the two widths are the same."""
    norm_last: bool = False
    """The embeddings' norm stands behind it."""
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
    spare_embedding_key: str | None = None
    """The same in configs that leave it out where the embeddings are as wide as the hidden states; never a table's rank."""
    head_key: str | None = None
    """The width of a head, which is the hidden width by the heads; some configs leave it out."""
    follows: tuple[str, ...] = ()
    """Further widths that are the hidden width's."""
    requires: tuple[tuple[str, object], ...] = (("is_decoder", False), ("position_embedding_type", "absolute"))
    """Config keys and the only value this program knows how to handle."""
    states: tuple[tuple[str, object], ...] = ()
    """The same for keys that the config must have: left out, they mean something else."""
    usual: tuple[tuple[str, object], ...] = ()
    """Keys that a model from scratch gets beside those."""
    fixed: tuple[tuple[str, object], ...] = ()
    """Keys that a loaded model gets, whatever its config says: they change nothing in its answers."""
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
    """What cannot be done with it, each with the reason: `pca` (a student's start), `scratch` (a new teacher), `prune`, or
    `attention` (losses on the inside of attention). With the last two there are no `Parts` of its layers."""
    sdpa: bool = True
    """Its attention runs as one fused operation; else there is `eager` alone."""
    mask_as_given: bool = True
    """A mask of four dimensions is added to the attention scores as it is."""
    tokens_first: bool = False
    """Inside the encoder states are (tokens, rows, width)."""
    reads_last: bool = False
    """The task head reads the last token, so that rows are padded on the left."""
    float_mask: bool = False
    """An exported graph is traced with a mask of floats."""
    padding: int | None = None
    """The padding id that the code counts with, whatever the config says."""


def unturned(row: Family, hidden: int, heads: int) -> str | None:
    """Why heads of this width cannot be turned by their positions; None if they can, or need not."""
    if not row.rotary or hidden % heads or hidden // heads % 2 == 0:
        return None
    return (
        f"{row.model_type} heads are turned by their positions two dimensions at a time, and `hidden: {hidden}` by "
        f"`heads: {heads}` makes them {hidden // heads} wide. Give them an even width."
    )


def unread(row: Family, loss: str, reads: str) -> str | None:
    """Why a loss cannot read the inside of a family's models; None if it can, or reads something else."""
    reason = dict(row.refuses).get("attention") if reads in ("attention_scores", "relations") else None
    if reason is None:
        return None
    return f"the loss {loss} cannot read the attention of {row.model_type}: {reason}. Leave it out."


def uncut(row: Family) -> str | None:
    """Why nothing can be cut out of a family's models; None if it can."""
    reason = dict(row.refuses).get("prune")
    return f"a {row.model_type} model cannot be pruned: {reason}. Leave `prune` out." if reason else None


def unrounded(row: Family) -> str | None:
    """Why a family's student cannot compute with the rounding of an INT8 export; None if it can."""
    if dict(row.refuses).get("prune") is None:
        return None
    return f"`fake_quantize` rounds what Linears take and give, and a {row.model_type} layer has no such parts. Leave it out."


def apart(student: Family, teacher: Family) -> str:
    """Why nothing inside a student can be compared with its teacher, whose rows are padded on the other side."""
    return (
        f"a {student.model_type} student and a {teacher.model_type} teacher read other tokens, and nothing inside them "
        "can be compared. Give losses on predictions."
    )
