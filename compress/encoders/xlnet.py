"""The row of XLNet, whose attention holds its weights in its own shapes. Imports no torch."""

from compress.encoders.family import Family

_APART = "its queries, keys and values are no Linears of their own"
XLNET = Family(
    model_type="xlnet",
    mask_as_given=False,
    layers="layer",
    word="word_embedding",
    position=None,
    token_type=None,
    embedding_norm=None,
    classifier=("sequence_summary.summary", "logits_proj"),
    hidden_key="d_model",
    heads_key="n_head",
    layers_key="n_layer",
    intermediate_key="d_inner",
    head_key="d_head",
    requires=(
        ("attn_type", "bi"),
        ("bi_data", False),
        ("summary_type", "last"),
        ("use_mems_train", False),
    ),
    fixed=(("use_mems_eval", False),),
    refuses=(
        ("pca", _APART),
        ("prune", _APART),
        ("attention", _APART),
        ("scratch", "a learned vocabulary begins rows with [CLS], and its head reads the last token"),
    ),
    sdpa=False,
    tokens_first=True,
    reads_last=True,
    float_mask=True,
)
