"""Words that a masked language model proposes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from compress.encoders import checkpoint
from compress.encoders.families import FAMILIES, family_of
from compress.errors import InputError
from compress.training import proposals
from compress.training.proposals import Asked, Proposer, whole_words

CPU = torch.device("cpu")
SHAPE = {"vocab_size": tiny.VOCABULARY, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
SHAPE |= {"intermediate_size": 64, "max_position_embeddings": 64}


@pytest.fixture
def tokenizer(tmp_path: Path):
    return tiny.tokenizer(tmp_path / "tokens")


def untrained(seed: int = 0) -> BertForMaskedLM:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertForMaskedLM(BertConfig(**SHAPE)).eval()


def asked(tokenizer, text: str, *places: int) -> Asked:
    ids = tokenizer(text).input_ids
    return Asked(ids, [0] * len(ids), places)


def test_a_model_that_was_trained_proposes_what_fits(tokenizer) -> None:
    model = untrained()
    lines = ["turn on the light", "turn off the light", "good film", "great movie", "bad film", "dull movie"]
    batch = tokenizer(lines, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    model.train(False)
    for _ in range(150):
        ids, labels = batch["input_ids"].clone(), batch["input_ids"].clone()
        hidden = (torch.rand(ids.shape, generator=generator) < 0.3) & (ids > 4)
        ids[hidden], labels[~hidden] = tokenizer.mask_token_id, -100
        if hidden.any():
            model(input_ids=ids, attention_mask=batch["attention_mask"], labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    rows = [asked(tokenizer, "turn on the light", 1, 2), asked(tokenizer, "good film", 1)]
    first, second = Proposer(model, tokenizer, device=CPU, precision="fp32").propose(rows, 3)
    assert first[2][0] == "off"
    assert set(second[1]) & {"bad"}
    assert "good" not in second[1]
    assert [len(names) for names in (first[1], first[2], second[1])] == [3, 3, 3]


def test_rows_together_get_what_each_gets_alone(tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    proposer = Proposer(untrained(), tokenizer, device=CPU, precision="fp32")
    rows = [
        asked(tokenizer, text, *range(1, len(text.split()) + 1))
        for text in ("the good film", "a", "turn it on off a the not very")
    ]
    whole = proposer.propose(rows, 5)
    assert [sorted(found) for found in whole] == [[1, 2, 3], [1], list(range(1, 9))]
    monkeypatch.setattr(proposals, "SIZE", 2)
    assert proposer.propose(rows, 5) == whole
    assert [proposer.propose([row], 5)[0] for row in rows] == whole


def test_few_words_of_a_row_are_masked_at_a_time(tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    proposer, shares = Proposer(untrained(), tokenizer, device=CPU, precision="fp32"), []
    real = proposer._masked

    def masked(row: Asked, places: list[int]) -> dict[str, list[int]]:
        made = real(row, places)
        shares.append(made["input_ids"].count(tokenizer.mask_token_id) / len(row.ids))
        return made

    monkeypatch.setattr(proposer, "_masked", masked)
    text = "the good film " * 10
    proposer.propose([asked(tokenizer, text, *range(1, 31))], 1)
    assert 0.1 < max(shares) < proposals.MASKED + 0.5 / 32
    assert len(shares) == 6


def test_only_whole_words_are_proposed(tokenizer) -> None:
    found = whole_words(tokenizer)
    assert set(tiny.WORDS) <= set(found)
    assert {"[MASK]", "##a", ".", ","}.isdisjoint(found)
    assert found[tokenizer.convert_tokens_to_ids("film")] == "film"


def byte_level() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(["the café film films", "a café film"] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made)


def unigram() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁the", -2.0), ("▁film", -2.0), ("s", -3.0), ("film", -3.0), ("▁", -4.0), ("▁a", -3.0), ("▁café", -2.0)], 0))  # fmt: skip
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


@pytest.mark.parametrize("make", [byte_level, unigram])
def test_a_word_is_a_token_that_follows_a_blank(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    tokenizer = make()
    found = {
        word: tokenizer.convert_ids_to_tokens(number) for number, word in enumerate(whole_words(tokenizer)) if word
    }
    assert {"café", "film"} <= set(found)
    assert all(token[0] in "Ġ▁" for token in found.values())


@pytest.mark.parametrize("family", [name for name in FAMILIES if name in MODEL_FOR_MASKED_LM_MAPPING_NAMES])
def test_answers_are_those_of_the_whole_model(family: str, tokenizer) -> None:
    with torch.random.fork_rng(devices=[]):
        model = AutoModelForMaskedLM.from_config(tiny.model(family).config).eval()
    proposer = Proposer(model, tokenizer, device=CPU, precision="fp32")
    rows = [
        {"input_ids": [2, 60, 61, 62, 3], "token_type_ids": [0] * 5},
        {"input_ids": [2, 63, 3], "token_type_ids": [0] * 3},
    ]
    found = proposer._logits(rows, [(0, 0, 2), (1, 1, 1), (0, 0, 3)])
    batch = proposals.collate(rows, proposer.pad)
    with torch.no_grad():
        whole = model(**{name: batch[name] for name in family_of(model).inputs}).logits
    torch.testing.assert_close(found, torch.stack([whole[0, 2], whole[1, 1], whole[0, 3]]), atol=1e-5, rtol=1e-4)


def test_a_folder_without_a_language_model_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tiny.model(), tmp_path / "classifier")
    with pytest.raises(InputError, match=r"Weights of a masked language model that are missing .*: cls\.predictions"):
        checkpoint.load_masked_lm(tmp_path / "classifier")
    checkpoint.save(untrained(), tmp_path / "lm")
    assert checkpoint.load_masked_lm(tmp_path / "lm").config.architectures == ["BertForMaskedLM"]


def test_a_tokenizer_without_a_mask_is_refused(tokenizer) -> None:
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="has no mask token"):
        Proposer(untrained(), tokenizer, device=CPU, precision="fp32")
