"""Tiny random models, batches and tokenizers for tests. No network, no files but those asked for."""

import string
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, BertTokenizer, PreTrainedModel
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

from compress.encoders.capture import Captured
from compress.encoders.families import FAMILIES, family_of

VOCABULARY = 100
WORDS = ("the", "a", "film", "movie", "good", "bad", "great", "dull", "not", "very", "light", "on", "off", "turn")

CUTTABLE = [name for name, row in FAMILIES.items() if "prune" not in dict(row.refuses)]
"""The families whose layers have parts that can be read and cut."""

VARIANTS: dict[str, dict[str, object]] = {
    "deberta-v2": {"position_buckets": 8},
    "ernie": {"use_task_id": True},
    "modernbert": {
        "pad_token_id": 0,
        "local_attention": 6,
        "attention_bias": True,
        "norm_bias": True,
        "classifier_pooling": "mean",
    },
}
"""Config keys beside the shape: the variants that have most parts."""


def model(
    family: str = "bert",
    *,
    layers: int = 2,
    hidden: int = 32,
    heads: int = 4,
    intermediate: int = 64,
    labels: int = 3,
    seed: int = 0,
    attention: str = "sdpa",
) -> PreTrainedModel:
    """A classification model with random weights, biases and norms, in eval mode. Takes at most 64 tokens."""
    row = FAMILIES[family]
    shape = {
        row.layers_key: layers,
        row.hidden_key: hidden,
        row.heads_key: heads,
        row.intermediate_key: intermediate,
    }
    if row.embedding_key:
        shape[row.embedding_key] = hidden // 2
    if row.position or row.rotary or row.relative:
        shape["max_position_embeddings"] = 66 if row.positions_after_padding else 64
    config = AutoConfig.for_model(
        family,
        vocab_size=VOCABULARY,
        num_labels=labels,
        **shape,
        **dict((*row.states, *row.usual, *row.fixed)) | VARIANTS.get(family, {}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = AutoModelForSequenceClassification.from_config(
            config, attn_implementation=attention if row.sdpa else "eager"
        )
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return built.eval()


def batch(model: PreTrainedModel, rows: int = 3, length: int = 8, seed: int = 0) -> dict[str, Tensor]:
    """Random token ids (rows, length): the first row full, each next one a token shorter (at least two tokens).

    Padded on the left for families whose head reads the last token.
    """
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (rows, length), generator=generator)
    lengths = (length - torch.arange(rows)).clamp(min=2)
    mask = (torch.arange(length) < lengths[:, None]).long()
    mask = mask.flip(1) if family_of(model).reads_last else mask
    ids = torch.where(mask.bool(), ids, torch.tensor(model.config.pad_token_id))
    made = {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": (torch.arange(length) >= length // 2).long() * mask,
    }
    return {name: made[name] for name in family_of(model).inputs}


def scores(captured: Captured) -> list[Tensor]:
    """(b, h, t, t) a layer: captured queries times keys over the root of the head size."""
    pairs = zip(captured.queries, captured.keys, strict=True)
    return [query @ key.transpose(-1, -2) * query.size(-1) ** -0.5 for query, key in pairs]


def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer of fewer than 100 tokens that spells every lower-case word, saved to the folder."""
    letters = string.ascii_lowercase
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{letter}" for letter in letters),
        *WORDS,
        ".",
        ",",
    ]
    unique = list(dict.fromkeys(tokens))
    made = BertTokenizer(vocab={token: index for index, token in enumerate(unique)}, model_max_length=64)
    made.save_pretrained(folder)
    return made
