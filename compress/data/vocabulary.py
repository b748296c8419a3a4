"""A WordPiece vocabulary learned from the training rows (Schuster and Nakajima 2012; Devlin et al. 2019, section 3)."""

from collections.abc import Iterable
from typing import cast

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from compress.config.settings import Vocabulary

_SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def learn(texts: Iterable[str], settings: Vocabulary, *, max_length: int) -> PreTrainedTokenizerBase:
    """A tokenizer of BERT's kind whose word pieces are those of the texts; the same texts give the same tokenizer."""
    tokenizer = _bert(models.WordPiece(unk_token="[UNK]"), settings)
    tokenizer.model = models.WordPiece(_pieces(list(texts), tokenizer, settings), unk_token="[UNK]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **_SPECIAL,
    )
    return cast("PreTrainedTokenizerBase", fast)


def _bert(model: models.WordPiece, settings: Vocabulary) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _pieces(texts: list[str], tokenizer: Tokenizer, settings: Vocabulary) -> dict[str, int]:
    """The vocabulary: each piece's number.

    The trainer numbers the letters inside words as it happens to meet them, and equal counts are decided by these
    numbers: left alone, it learns other pieces every time. Given as special tokens, they have fixed numbers.
    """
    words = {
        word
        for text in texts
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
    }
    inner = sorted({f"##{letter}" for word in words for letter in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.size,
        min_frequency=settings.min_frequency,
        special_tokens=[*_SPECIAL.values(), *inner],
        show_progress=False,
    )
    learner = _bert(models.WordPiece(unk_token="[UNK]"), settings)
    learner.train_from_iterator(texts, trainer)
    return dict(sorted(learner.get_vocab().items(), key=lambda piece: piece[1]))
