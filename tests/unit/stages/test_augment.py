"""New rows out of training rows."""

import json
from pathlib import Path

import pytest
import tiny
from transformers import BertConfig, BertForMaskedLM

from compress.config.settings import Augment, Data, Distill, Model, Task
from compress.encoders import checkpoint
from compress.errors import InputError
from compress.stages import augment as module
from compress.stages.augment import SUMMARY, Needs, Settings, augment
from compress.stages.context import Context
from compress.stages.transfer import AUGMENTED, transfer

TRAIN = [
    "The film was good , not dull",
    "a very bad movie",
    "turn on the light",
    "great",
    "2012 !",
    "turn the very good light off",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, texts in (("train.tsv", TRAIN), ("dev.tsv", ["a good movie"])):
        lines = [f"{'ab'[number % 2]}\t{text}" for number, text in enumerate(texts)]
        (tmp_path / name).write_text("\n".join(["label\ttext", *lines]) + "\n")
    checkpoint.save(tiny.model(), tmp_path / "teacher")
    tiny.tokenizer(tmp_path / "teacher")
    return tmp_path


def task(**keys: str) -> Task:
    return Task(type="text-classification", data=Data(train="train.tsv", validation="dev.tsv"), **keys)


def made(
    folder: Path,
    asked: Augment,
    *,
    work: str = "work",
    out: str = "out",
    seed: int = 0,
    one: Task | None = None,
    **keys,
) -> list[dict]:
    for name in (work, out):
        (folder / name).mkdir(exist_ok=True)
    context = Context("augment", folder / out, folder / work, folder, seed, keys.get("notify", lambda *_: None))
    augment(Settings(one or task(), asked), Needs(None if asked.masked_lm else folder / "teacher"), context)
    return [json.loads(line) for line in (folder / out / AUGMENTED).read_text().splitlines()]


def summary(folder: Path, out: str = "out") -> dict:
    return json.loads((folder / out / SUMMARY).read_text())


def language_model(folder: Path) -> Model:
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=tiny.VOCABULARY, max_position_embeddings=8, **shape)
    checkpoint.save(BertForMaskedLM(config), folder / "lm")
    tiny.tokenizer(folder / "lm")
    return Model(folder="lm")


@pytest.mark.parametrize("proposed", [False, True])
def test_rows_keep_all_but_some_words(folder: Path, proposed: bool) -> None:
    lm = language_model(folder) if proposed else None
    rows = made(folder, Augment(copies=4, replace=0.5, masked_lm=lm))
    texts = [row["text"] for row in rows]
    assert len(set(texts)) == len(texts) > 10
    assert not set(texts) & set(TRAIN)
    replaced = total = 0
    for row in rows:
        before, after = TRAIN[row["row"]].split(), row["text"].split()
        assert len(before) == len(after)
        assert [word for word in before if not word.isalpha()] == [word for word in after if not word.isalpha()]
        assert all(new.istitle() == old.istitle() for old, new in zip(before, after, strict=True))
        replaced += sum(old != new for old, new in zip(before, after, strict=True))
        total += sum(old.isalpha() for old in before)
    counts = summary(folder)
    assert (counts["rows"], counts["words"], counts["replaced"]) == (len(rows), total, replaced)
    assert 0.3 < replaced / total < 0.8
    assert counts["rows"] + sum(counts["left_out"].values()) == 4 * len(TRAIN)
    assert counts["left_out"]["unchanged"] >= 4  # no word is in `2012 !`


def test_the_seed_decides(folder: Path) -> None:
    asked = Augment(copies=2)
    first = made(folder, asked)
    assert made(folder, asked, work="other", out="again") == first
    assert made(folder, asked, work="third", out="seeded", seed=1) != first


def test_joined_rows_are_two_training_rows(folder: Path) -> None:
    rows = made(folder, Augment(copies=0, joined=20))
    assert 10 < len(rows) <= 20
    assert all(row["text"] == f"{TRAIN[row['rows'][0]]} {TRAIN[row['rows'][1]]}" for row in rows)
    assert all(row["rows"][0] != row["rows"][1] for row in rows)
    counts = summary(folder)
    assert counts["rows"] + sum(counts["left_out"].values()) == counts["joined"] == 20
    assert made(folder, Augment(copies=0, joined=20), out="again") == rows
    assert made(folder, Augment(copies=0, joined=20), out="seeded", seed=1) != rows


def test_copies_and_joined_rows_stand_in_one_file(folder: Path) -> None:
    copies = made(folder, Augment(copies=2))
    both = made(folder, Augment(copies=2, joined=5), work="both", out="together")
    assert both[: len(copies)] == copies
    assert all("rows" in row for row in both[len(copies) :])
    assert len(both) > len(copies)


@pytest.mark.parametrize("proposed", [False, True])
def test_an_interruption_changes_nothing(folder: Path, proposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Augment(copies=3, masked_lm=language_model(folder) if proposed else None)
    whole = made(folder, asked)
    monkeypatch.setattr(module, "PART", 2)

    def stop(done: int, total: int, note: str) -> None:
        if (done, note) == (4, "words are replaced"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(folder, asked, work="half", out="never", notify=stop)
    parts = {path: path.stat().st_mtime_ns for path in (folder / "half").iterdir()}
    assert len(parts) == 4  # two, each with its seal
    assert made(folder, asked, work="half", out="resumed") == whole
    assert {path: path.stat().st_mtime_ns for path in parts} == parts


def test_rows_that_are_judged_never_come_out(folder: Path) -> None:
    asked = Augment(copies=30, replace=0.9, candidates=4)
    first = {row["text"] for row in made(folder, asked)}
    assert summary(folder)["left_out"]["like_a_validation_or_test_row"] == 0
    chosen = sorted(first)[:5]
    lines = [f"a\t{text.upper()} " for text in chosen]
    (folder / "dev.tsv").write_text("\n".join(["label\ttext", *lines]) + "\n")
    second = {row["text"] for row in made(folder, asked, work="later", out="judged")}
    assert second == first - set(chosen)
    assert summary(folder, "judged")["left_out"]["like_a_validation_or_test_row"] >= 5


def test_both_texts_of_a_pair_are_changed_and_read_again(folder: Path) -> None:
    lines = ["label\ta\tb", *(f"{'xy'[number % 2]}\t{text}\tnot a {text}" for number, text in enumerate(TRAIN))]
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text("\n".join(lines) + "\n")
    data = Data(train="train.tsv", validation="dev.tsv")
    pairs = Task(type="text-pair-classification", data=data, text="a", text_pair="b")
    rows = made(folder, Augment(copies=5, masked_lm=language_model(folder)), one=pairs)
    assert any(row["text"] != TRAIN[row["row"]] for row in rows)
    assert any(row["text_pair"] != f"not a {TRAIN[row['row']]}" for row in rows)
    learned, parts = transfer(pairs, Distill(), folder / "out", folder)
    assert parts == {"train": range(len(TRAIN)), "augmented": range(len(TRAIN), len(learned))}
    assert learned.pairs is not None
    assert len(learned) == len(TRAIN) + len(rows)
    assert learned.pairs[len(TRAIN) :] == [row["text_pair"] for row in rows]
    assert learned.labels == [0, 1] * 3 + [-100] * len(rows)
    assert transfer(pairs, Distill(data=("augmented",)), folder / "out", folder).rows.texts == [
        row["text"] for row in rows
    ]


def test_words_beyond_the_language_models_reach_take_their_neighbours(folder: Path) -> None:
    (folder / "train.tsv").write_text("label\ttext\na\tthe bad very film the bad very film the bad\nb\tlight on\n")
    rows = made(folder, Augment(copies=40, replace=1, candidates=2, masked_lm=language_model(folder)), work="lm")
    texts = [row["text"].split() for row in rows if row["row"] == 0]
    assert texts
    words = {"the", "bad", "very", "film", "light", "on"}
    assert all(word in words for text in texts for word in text[6:])
    assert any(word not in words for text in texts for word in text[:6])


def test_data_without_words_is_refused(folder: Path) -> None:
    (folder / "train.tsv").write_text("label\ttext\na\t12\nb\t!\n")
    with pytest.raises(InputError, match="finds no words"):
        made(folder, Augment())
    (folder / "train.tsv").write_text("label\ttext\na\tgood\nb\tbad\n")
    with pytest.raises(InputError, match="no new row came out"):
        made(folder, Augment(copies=1, candidates=1, replace=1), work="w2")
