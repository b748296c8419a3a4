"""Accuracy is measured as a device is asked, one row at a time; and whoever waits is told how far it is."""

import dataclasses
import json
from pathlib import Path

import graphs
import numpy as np
import project
import pytest
import spelling
import tiny
from transformers import AutoTokenizer

from compress.config import settings
from compress.config.pipeline import load
from compress.data import sources
from compress.data.batches import Encoded, encode, feeds
from compress.data.sources import Rows
from compress.errors import ParityError
from compress.files import DESCRIPTION
from compress.quantization.dynamic import dynamic
from compress.report import record
from compress.run.steps import steps
from compress.stages import measure
from compress.targets.onnxruntime import onnxruntime

TASK = settings.Task(type="text-classification", data=settings.Data(train="a.tsv", validation="b.tsv"), max_length=32)


@pytest.fixture
def rows(tmp_path: Path) -> Encoded:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(tiny.WORDS, generator.integers(1, 24))) for _ in range(300)]
    return encode(Rows(texts, None, [0] * len(texts)), tiny.tokenizer(tmp_path), TASK)


@pytest.fixture
def candidate(tmp_path: Path) -> measure._Candidate:
    file = tmp_path / "model.onnx"
    dynamic(graphs.graph(), file, graphs.material())
    return measure._Candidate("tiny", "onnxruntime", "int8", None, file, {}, {}, tmp_path)


def test_an_int8_answer_does_not_depend_on_the_other_rows(rows: Encoded, candidate: measure._Candidate) -> None:
    session = onnxruntime.open(candidate.file, {}, threads=1)

    def answers(size: int) -> list[int]:
        return [int(answer) for _, feed in feeds(rows, size, order="given") for answer in session(feed).argmax(-1)]

    assert measure._answers(candidate, rows, TASK, lambda *_news: None).tolist() == answers(1)
    assert answers(8) != answers(1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_no_numbers_do_not_pass_for_the_first_class(
    value: float, rows: Encoded, candidate: measure._Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __call__(self, feed: measure.Feed) -> np.ndarray:
            return np.full((1, 3), value if (feed["input_ids"] == rows[7]["input_ids"][1]).any() else 0.0)

        def close(self) -> None:
            pass

    monkeypatch.setattr(measure._Candidate, "open", lambda *_: Broken())
    with pytest.raises(
        ParityError, match=r"tiny onnxruntime-int8: answers test row \d+ .* with NaN or infinite logits"
    ):
        measure._answers(candidate, rows, TASK, lambda *_news: None)


def test_every_row_and_every_round_is_told(rows: Encoded, candidate: measure._Candidate) -> None:
    told: list[tuple[int, int, str]] = []
    steps = measure._Steps(lambda *news: told.append(news), 3)
    measure._answers(candidate, rows, TASK, steps.within("tiny"))
    assert told == [(0, 3, f"tiny, row {row} of 300") for row in range(1, 301)]
    told.clear()
    asked = measure.Settings(TASK, settings.Measure(batch=[1], sequence=[8], rounds=5))
    measure._latencies([candidate], {"tiny": rows}, asked, 0, steps)
    assert told[4:6] == [(0, 3, "timing at 1 x 8, round 5 of 5"), (1, 3, "timed at 1 x 8")]
    assert told[-2:] == [(1, 3, "timing on real rows, round 200 of 200"), (2, 3, "timed on real rows")]


def test_test_rows_among_the_unlabelled_ones_count_as_seen(tmp_path: Path) -> None:
    files = {"train.tsv": "label\ttext\na\tone\nb\ttwo\n", "test.tsv": "label\ttext\na\tTWO\nb\tthree\na\tfour\n"}
    for name, text in {**files, "more.txt": "three\nfive\n"}.items():
        (tmp_path / name).write_text(text)
    for unlabelled, seen in ((None, 1), ("more.txt", 2)):
        data = settings.Data(train="train.tsv", validation="test.tsv", unlabelled=unlabelled)
        task = settings.Task(type="text-classification", data=data)
        found = record.Data.model_validate(
            measure._data(measure._splits(task, tmp_path), sources.digest(task, tmp_path))
        )
        assert found.duplicates == seen
        assert (found.unlabelled.rows if found.unlabelled else None) == (2 if unlabelled else None)


@pytest.mark.parametrize("first", ["pytorch", "onnxruntime"])
def test_every_candidate_has_a_name_of_its_own(first: str, tmp_path: Path) -> None:
    exports = [
        {"target": target, "precision": "fp32"} for target in sorted(("pytorch", "onnxruntime"), key=first.__ne__)
    ]
    path = project.write(tmp_path)
    step = next(step for step in steps(load(path, [f"export={json.dumps(exports)}"])) if step.name == "measure")
    folders = {name: tmp_path / name for name in step.inputs["exports"]}
    for name, folder in folders.items():
        file = {"precision": "fp32", "recipe": None, "file": "x", "settings": {}, "size_bytes": 1, "asked": True}
        folder.mkdir(parents=True)
        (folder / DESCRIPTION).write_text(
            json.dumps({"target": name.split("/")[2], "parameters": 1, "files": [file]}), encoding="utf-8"
        )
    (tmp_path / "model.safetensors").write_bytes(b"")
    found = [candidate.id for candidate in measure._candidates(measure.Needs(tmp_path, folders))]
    assert found[0] == "teacher pytorch-fp32"
    assert len(found) == len(set(found)) == 6


def test_each_model_reads_its_own_tokens(tmp_path: Path, candidate: measure._Candidate) -> None:
    tiny.tokenizer(tmp_path / "teacher")
    spelling.tokenizer("bert").save_pretrained(tmp_path / "student")
    tiny.model().config.save_pretrained(tmp_path / "teacher")
    tiny.model("xlnet").config.save_pretrained(tmp_path / "student")
    candidates = [
        candidate._replace(model=name, folder=tmp_path / folder)
        for name, folder in (("teacher", "teacher"), ("one", "student"), ("two", "teacher"))
    ]
    rows = Rows(["a journey through the longest nights", "the good film"], None, [1, 0])
    read = measure._read(candidates, rows, TASK)
    assert list(read) == ["teacher", "one", "two"]
    for model, folder in (("teacher", "teacher"), ("one", "student"), ("two", "teacher")):
        own = AutoTokenizer.from_pretrained(tmp_path / folder)
        assert read[model][0]["input_ids"] == own(rows.texts[0])["input_ids"]
        assert read[model].labels.tolist() == [1, 0]
    assert [read[model].left for model in read] == [False, True, False]
    assert len(read["one"][0]["input_ids"]) != len(read["two"][0]["input_ids"])


def test_each_session_is_timed_on_its_own_rows(
    rows: Encoded, candidate: measure._Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    monkeypatch.setattr(measure._Candidate, "open", lambda self, threads: _Asked(asked.setdefault(self.model, [])))
    read = {"teacher": rows, "tiny": dataclasses.replace(rows, ids=rows.ids + 100)}
    candidates = [candidate._replace(model=name) for name in read]
    settings_ = measure.Settings(TASK, settings.Measure(batch=[1], sequence=[8], rounds=3))
    measure._latencies(candidates, read, settings_, 0, measure._Steps(lambda *news: None, 2))
    assert {(np.concatenate([ids.ravel() for ids in fed]) >= 100).all() for fed in asked.values()} == {True, False}
    assert min(ids.min() for ids in asked["tiny"]) >= 100 > max(ids.max() for ids in asked["teacher"])


class _Asked:
    """A session that notes what it is asked."""

    def __init__(self, fed: list[np.ndarray]) -> None:
        self.fed = fed

    def __call__(self, feed: measure.Feed) -> None:
        self.fed.append(feed["input_ids"])

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("target", "precision", "beside"),
    [
        ("onnxruntime", "int8", "onnxruntime-fp32"),
        ("onnxruntime", "fp32", None),
        ("tensorrt-rtx", "int8", "tensorrt-rtx-fp16"),
        ("tensorrt-rtx", "fp16", None),
        ("tensorrt-rtx", "fp32", None),
    ],
)
def test_only_lower_precisions_are_compared_with_the_plain_one(target: str, precision: str, beside: str | None) -> None:
    candidate = measure._Candidate("tiny", target, precision, None, Path(), {}, {}, Path())
    assert candidate.plain == beside
