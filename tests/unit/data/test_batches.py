"""Tokenized rows against what transformers gives, and batches against a slow padding."""

import numpy as np
import pytest
import tiny
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tokenizers import processors

from compress.config.settings import Data, Task
from compress.data import batches
from compress.data.batches import collate, encode, feeds
from compress.data.sources import Rows
from compress.errors import InputError

WORDS = [*tiny.WORDS, "unheard", "[SEP]", "x", "é", "."]
TEXT = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


def task(pair=False, max_length=12, truncation="head"):
    return Task(
        type="text-pair-classification" if pair else "text-classification",
        text_pair="other" if pair else None,
        data=Data(train="a.tsv", validation="b.tsv"),
        max_length=max_length,
        truncation=truncation,
    )


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny.tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """The same words with the special tokens of RoBERTa: four around a pair."""
    made = tiny.tokenizer(tmp_path_factory.mktemp("roberta"))
    made.backend_tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


@pytest.mark.parametrize("kind", ["tokenizer", "roberta"])
@pytest.mark.parametrize("pair", [False, True])
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), limit=st.integers(5, 30))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_head_truncation_is_that_of_transformers(request, kind, pair, rows, limit):
    tokenizer = request.getfixturevalue(kind)
    texts, pairs = [row[0] for row in rows], [row[1] for row in rows] if pair else None
    encoded = encode(Rows(texts, pairs, [0] * len(rows)), tokenizer, task(pair, limit))
    expected = tokenizer(texts, pairs, truncation=True, max_length=limit)
    for number in range(len(rows)):
        wanted = {name: expected[name][number] for name in expected if name != "attention_mask"}
        assert encoded[number] == {**wanted, "labels": 0}


def test_tail_and_both_ends_keep_the_special_tokens(tokenizer):
    rows = Rows(["a a a a good bad great film movie dull"], None, [1])
    ids = tokenizer.convert_tokens_to_ids
    tail = encode(rows, tokenizer, task(max_length=6, truncation="tail"))
    assert tail[0]["input_ids"] == ids(["[CLS]", "great", "film", "movie", "dull", "[SEP]"])
    both = encode(rows, tokenizer, task(max_length=6, truncation="head+tail"))
    assert both[0]["input_ids"] == ids(["[CLS]", "a", "film", "movie", "dull", "[SEP]"])


def test_pairs_are_cut_at_the_asked_side_and_keep_their_types(tokenizer):
    rows = Rows(["good bad great film movie"], ["on off"], [0])
    encoded = encode(rows, tokenizer, task(True, 8, "tail"))
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", "great", "film", "movie", "[SEP]", "on", "off", "[SEP]"])
    assert encoded[0] == {"input_ids": ids, "token_type_ids": [0, 0, 0, 0, 0, 1, 1, 1], "labels": 0}


def test_settings_saved_with_the_tokenizer_do_not_count(tokenizer):
    rows = Rows(["good bad great film movie dull", "on"], None, [0, 1])
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=20)
    assert encode(rows, tokenizer, task()).lengths.tolist() == [8, 3]


def test_types_are_given_where_the_model_takes_them(tokenizer, roberta):
    rows = Rows(["good"], None, [0])
    assert "token_type_ids" in encode(rows, tokenizer, task())[0]
    assert "token_type_ids" not in encode(rows, roberta, task())[0]
    assert "token_type_ids" not in encode(rows, tokenizer, task(), token_types=False)[0]
    assert "token_type_ids" in encode(rows, roberta, task(), token_types=True)[0]


def test_many_chunks_are_one_list(tokenizer, monkeypatch):
    rows = Rows(["good " * number for number in range(7)], None, list(range(7)))
    whole = encode(rows, tokenizer, task())
    monkeypatch.setattr(batches, "CHUNK", 2)
    parted = encode(rows, tokenizer, task())
    assert [whole[row] for row in range(7)] == [parted[row] for row in range(7)]
    assert parted.lengths.tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_rows_are_numbered_as_in_a_list(tokenizer):
    encoded = encode(Rows(["good", "bad"], None, [3, 5]), tokenizer, task())
    assert len(encoded) == 2
    assert encoded[-1] == encoded[1]
    assert [row["labels"] for row in encoded] == [3, 5]
    with pytest.raises(IndexError):
        encoded[2]


def test_no_rows_at_all(tokenizer):
    encoded = encode(Rows([], None, []), tokenizer, task())
    assert len(encoded) == 0
    assert list(feeds(encoded, 4)) == []


def test_tokenizers_that_do_not_fit_are_refused(tokenizer, roberta):
    rows = Rows(["good"], None, [0])
    with pytest.raises(InputError, match=r"task\.max_length: 65 is more than the 64 tokens of the model"):
        encode(rows, tokenizer, task(max_length=65))
    with pytest.raises(InputError, match=r"task\.max_length: 4 leaves no room beside 4 special tokens"):
        encode(Rows(["a"], ["b"], [0]), roberta, task(True, 4))


def test_collate_pads_to_the_longest_row(tokenizer):
    encoded = encode(Rows(["good film", "on"], None, [1, 0]), tokenizer, task())
    batch = collate([encoded[0], encoded[1]], encoded.pad_id)
    good, film, on = tokenizer.convert_tokens_to_ids(["good", "film", "on"])
    assert {name: values.tolist() for name, values in batch.items()} == {
        "input_ids": [[2, good, film, 3], [2, on, 3, 0]],
        "attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
        "token_type_ids": [[0] * 4, [0] * 4],
        "labels": [1, 0],
    }
    assert all(values.dtype == torch.int64 for values in batch.values())
    assert tiny.model()(**batch).loss.isfinite()


def test_collate_pads_with_the_given_token():
    batch = collate([{"input_ids": [7]}, {"input_ids": [7, 8]}], 1)
    assert batch["input_ids"].tolist() == [[7, 1], [7, 8]]
    assert set(batch) == {"input_ids", "attention_mask"}
    batch = collate([{"input_ids": [7]}, {"input_ids": [7, 8]}], 1, left=True)
    assert batch["input_ids"].tolist() == [[1, 7], [7, 8]]
    assert batch["attention_mask"].tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize("order", ["length", "given"])
@pytest.mark.parametrize("limit", [None, 3, 100])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_feeds_hold_every_row_once_as_collate_does(tokenizer, order, limit, pair, left):
    texts = ["good film", "on", "a very very dull movie", "off", "not bad", "light"]
    encoded = encode(Rows(texts, texts[::-1] if pair else None, list(range(6))), tokenizer, task(pair), left=left)
    seen = []
    for rows, inputs in feeds(encoded, 2, order=order, limit=limit):
        expected = collate([encoded[row] for row in rows], encoded.pad_id, left=left)
        del expected["labels"]
        assert set(inputs) == set(expected)
        for name, values in inputs.items():
            assert values.dtype == np.int64
            assert values.tolist() == expected[name].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(6))[:limit]
    if order == "given":
        assert seen == sorted(seen)
    else:
        assert encoded.lengths[seen].tolist() == sorted(encoded.lengths[:limit].tolist())
