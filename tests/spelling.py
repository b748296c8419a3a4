"""Small tokenizers of every kind, learned from a few sentences, and models that read their tokens."""

import json
from functools import cache

import tiny
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AlbertTokenizer,
    BertTokenizer,
    MPNetTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RobertaTokenizer,
    XLMRobertaTokenizer,
    XLNetTokenizer,
)

TEXTS = (
    "a charming and often affecting journey through the longest nights of an unhappy winter",
    "the acting, the costumes, the music, the cinematography: all of it is astounding, given its origins",
    "unflinchingly bleak and desperate; it goes to absurd lengths and never quite arrives",
    "it allows us to hope that he is poised to embark on a major career as an inventive filmmaker",
    "one long string of clichés, naïve and overlong, though the director's heart is in the right place",
    "if you don't laugh, flee! 12 jokes in 95 minutes, and the funniest one is unintended",
    "hides new secretions from the parental units, contains no wit, only laboured gags and gaffes",
    "that loves its characters and communicates something rather beautiful about human nature",
)
KINDS = ("bert", "mpnet", "roberta", "xlm-roberta", "albert")
FAMILIES = {
    "albert": "albert",
    "deberta-v2": "albert",
    "mpnet": "mpnet",
    "roberta": "roberta",
    "xlm-roberta": "xlm-roberta",
    "xlnet": "xlnet",
}
"""The kinds of tokenizer that families read, by the family; the others read BERT's."""


@cache
def tokenizer(kind: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a kind; not to be changed."""
    if kind in ("bert", "mpnet"):
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        special = special if kind == "bert" else ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
        learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        learner.normalizer = normalizers.BertNormalizer()
        learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        learner.train_from_iterator(
            TEXTS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
        )
        if kind == "mpnet":
            return MPNetTokenizer(vocab=learner.get_vocab(), model_max_length=64)
        unused = ["e" * number for number in range(6, 15)]  # as in Google's, where special tokens do not come first
        return BertTokenizer(vocab=_last(learner, "[SEP]", special[:1] + unused), model_max_length=64)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    if kind == "roberta":
        learner = Tokenizer(models.BPE())
        learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        learner.train_from_iterator(
            TEXTS,
            trainers.BpeTrainer(
                vocab_size=500,
                special_tokens=[*special, "<mask>"],
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                show_progress=False,
            ),
        )
        merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
        vocabulary = _last(learner, "</s>", special[:2])
        return RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=64)
    if kind == "xlnet":
        special = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    elif kind == "albert":
        special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    learner = Tokenizer(models.Unigram())
    learner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(
        vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False, max_piece_length=8
    )
    learner.train_from_iterator([*TEXTS] * 3, trainer)
    pieces = [tuple(piece) for piece in json.loads(learner.to_str())["model"]["vocab"]]
    kinds = {"albert": AlbertTokenizer, "xlm-roberta": XLMRobertaTokenizer, "xlnet": XLNetTokenizer}
    return kinds[kind](vocab=pieces, model_max_length=64)


def _last(learner: Tokenizer, token: str, first: list[str]) -> dict[str, int]:
    """The vocabulary with some tokens first and one last."""
    learned = sorted(learner.get_vocab(), key=learner.token_to_id)
    rest = [other for other in learned if other not in (*first, token)]
    return {other: number for number, other in enumerate([*first, *rest, token])}


def model(family: str, tokens: int) -> PreTrainedModel:
    """A tiny model with so many word embeddings."""
    made = tiny.model(family)
    old = made.get_input_embeddings()
    random = torch.randn(tokens, old.embedding_dim, generator=torch.Generator().manual_seed(0))
    made.set_input_embeddings(nn.Embedding(tokens, old.embedding_dim, old.padding_idx, _weight=random))
    made.config.vocab_size = tokens
    return made
