"""Words as several kinds of tokenizers see them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from compress.data.words import Word, cased, replaced, words

TEXTS = ["The film isn't good, really: a well-made GOOD film.", "e.g. the film of 2012 costs 3d money"] * 3


def wordpiece():
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "the", "film", "good", "real", "##ly", "a", "好", "电"]
    vocabulary += [
        *"abcdefghijklmnopqrstuvwxyz0123456789.,:'-",
        *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    ]
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return made


def byte_level():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    return made


def unigram():
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=60, show_progress=False, unk_token="<unk>"))
    return made


MADE = {make.__name__: make() for make in (wordpiece, byte_level, unigram)}


def spelled(tokenizer, *texts):
    found = words(tokenizer.encode(*texts), texts)
    return [texts[word.text][word.start : word.end] for word in found]


@pytest.mark.parametrize("kind", MADE)
def test_words_stand_alone_and_are_letters(kind):
    tokenizer = MADE[kind]
    assert spelled(tokenizer, TEXTS[0]) == ["The", "film", "good", "really", "a", "GOOD", "film"]
    assert spelled(tokenizer, TEXTS[1]) == ["the", "film", "of", "costs", "money"]
    assert spelled(tokenizer, 'the (film) "good" \'s , -- good.') == ["the", "film", "good", "good"]
    assert spelled(tokenizer, "") == spelled(tokenizer, "12 ... !") == []


def test_a_word_knows_its_tokens():
    found = words(MADE["wordpiece"].encode("the film", "Really good"), ("the film", "Really good"))
    assert found == [
        Word(0, 0, 3, 1, (3,)),
        Word(0, 4, 8, 2, (4,)),
        Word(1, 0, 6, 4, (6, 7)),
        Word(1, 7, 11, 6, (5,)),
    ]


def test_signs_of_chinese_are_words_where_the_tokenizer_takes_them_so():
    assert spelled(MADE["wordpiece"], "好电, 好") == ["好", "电", "好"]


@pytest.mark.parametrize("kind", MADE)
@given(
    text=st.text(st.sampled_from("aAbé好ह ' .,-1\n\u0301न्"), max_size=12),
    other=st.text(st.sampled_from("aé ."), max_size=6),
)
def test_words_lie_apart_and_put_back_change_nothing(kind, text, other):
    texts = [text, other]
    found = words(MADE[kind].encode(*texts), texts)
    for before, after in pairwise(found):
        assert (before.text, before.end) <= (after.text, after.start) or before.text < after.text
    assert replaced(texts, [(word, texts[word.text][word.start : word.end]) for word in found]) == texts


def test_capitals_are_those_of_the_word_replaced():
    assert [cased("film", like) for like in ("movie", "Movie", "MOVIE", "I")] == ["film", "Film", "FILM", "Film"]
    assert cased("Paris", "town") == "Paris"
    texts = ("The film", "A GOOD film")
    found = words(MADE["wordpiece"].encode(*texts), texts)
    assert replaced(texts, [*zip(found, ["a", "movie", "one", "bad", "movies"], strict=True)]) == [
        "A movie",
        "One BAD movies",
    ]
