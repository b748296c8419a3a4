"""Accuracy is measured as a device is asked, one row at a time; and whoever waits is told how far it is."""

import re
from pathlib import Path

import graphs
import numpy as np
import pytest
import spelling
import tiny
from transformers import AutoTokenizer

from compress.config import settings
from compress.data import sources
from compress.data.batches import Encoded, encode, feeds
from compress.data.sources import Rows
from compress.errors import NotFinite
from compress.quantization.dynamic import dynamic
from compress.report import record
from compress.report.packing import unpack
from compress.stages import measure
from compress.stages.candidate import Candidate
from compress.stages.latency import Feed
from compress.stages.progress import Progress
from compress.targets.onnxruntime import onnxruntime

TASK = settings.Task(type="text-classification", data=settings.Data(train="a.tsv", validation="b.tsv"), max_length=32)


@pytest.fixture
def rows(tmp_path: Path) -> Encoded:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(tiny.WORDS, generator.integers(1, 24))) for _ in range(300)]
    return encode(Rows(texts, None, [0] * len(texts)), tiny.tokenizer(tmp_path), TASK)


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    file = tmp_path / "model.onnx"
    dynamic(graphs.graph(), file, graphs.material())
    return Candidate("tiny", "onnxruntime", "int8", None, file, {}, {}, tmp_path)


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


def test_each_model_reads_its_own_tokens(tmp_path: Path, candidate: Candidate) -> None:
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


def test_an_int8_answer_does_not_depend_on_the_other_rows(rows: Encoded, candidate: Candidate) -> None:
    session = onnxruntime.open(candidate.file, {}, threads=1)

    def answers(size: int) -> list[int]:
        return [int(answer) for _, feed in feeds(rows, size, order="given") for answer in session(feed).argmax(-1)]

    assert measure._answers(candidate, rows, TASK, lambda *_news: None).ids.tolist() == answers(1)
    assert answers(8) != answers(1)


def test_every_row_is_told(rows: Encoded, candidate: Candidate) -> None:
    told: list[tuple[int, int, str]] = []
    progress = Progress(lambda *news: told.append(news), 3)
    measure._answers(candidate, rows, TASK, progress.within("tiny"))
    assert told == [(0, 3, f"tiny, row {row} of 300") for row in range(1, 301)]


def test_the_logits_of_every_row_are_kept_in_its_place(rows: Encoded, candidate: Candidate) -> None:
    found = measure._answers(candidate, rows, TASK, lambda *_news: None)
    session = onnxruntime.open(candidate.file, {}, threads=1)
    expected = np.concatenate([session(feed) for _, feed in feeds(rows, 1, order="given")])
    assert found.logits is not None
    np.testing.assert_allclose(found.logits, expected, atol=1e-6)
    assert found.ids.tolist() == expected.argmax(-1).tolist()


class _Says:
    """A session that gives the same logits to every row, but for one."""

    def __init__(self, logits: list[float], row: int, other: list[float]) -> None:
        self.logits, self.row, self.other, self.asked = logits, row, other, 0

    def __call__(self, feed: Feed) -> np.ndarray:
        self.asked += 1
        return np.array([self.other if self.asked == self.row + 1 else self.logits], np.float32)

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_is_no_answer(
    rows: Encoded, candidate: Candidate, broken: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Candidate, "open", lambda *_: _Says([1.0, 2.0], 7, [0.5, broken]))
    row = int(np.argsort(rows.lengths, kind="stable")[7])
    said = f"tiny onnxruntime-int8: the logits of row {row + 1} of b.tsv are no finite numbers: 0.5, {broken}. Leave"
    with pytest.raises(NotFinite, match=re.escape(said)):
        measure._answers(candidate, rows, TASK, lambda *_news: None)


def test_answers_are_judged_by_themselves_and_beside_the_teachers() -> None:
    logits = np.array([[0, 2], [3, 0], [0, 1], [1, 0]], np.float32)
    teacher, gold = measure.Answers(logits.argmax(-1), logits), np.array([1, 0, 1, 1])
    found = measure._judged(TASK, teacher, teacher, gold, 0)
    assert (found["agreement"], found["divergence"]) == (1, {"value": 0, "low": 0, "high": 0})
    other = measure.Answers(logits[:, ::-1].argmax(-1), logits[:, ::-1])
    found = measure._judged(TASK, other, teacher, gold, 0)
    assert (found["agreement"], found["metrics"]["accuracy"], unpack(found["predictions"])) == (0, 0.25, [0, 1, 0, 1])
    gaps = [gap * np.tanh(gap / 2) for gap in (2, 3, 1, 1)]
    assert found["divergence"]["value"] == pytest.approx(np.mean(gaps), rel=1e-6)
    assert found["calibration_error"]["low"] <= found["calibration_error"]["value"]
    found = measure._judged(TASK, teacher._replace(logits=None), teacher._replace(logits=None), gold, 0)
    assert found["divergence"] is found["calibration_error"] is None


def test_how_sure_the_teacher_is_survives_the_packing() -> None:
    answers = measure.Answers(np.array([1, 0]), np.array([[0, 50], [np.log(3), 0]], np.float32))
    assert unpack(measure._sureness(answers) or "") == [measure.SURE, round(0.75 * measure.SURE)]
    assert measure._sureness(answers._replace(logits=None)) is None
