"""Answers are what a device would give, one row at a time; whoever waits is told; and who answered is not asked again."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import graphs
import numpy as np
import pytest
import tiny

from compress import registry
from compress.config import settings
from compress.data.batches import Encoded, encode, feeds
from compress.data.sources import Rows
from compress.errors import NotFinite
from compress.quantization.dynamic import dynamic
from compress.stages.answers import answers
from compress.stages.candidate import Candidate
from compress.stages.context import Context
from compress.stages.latency import Feed
from compress.stages.progress import Progress
from compress.targets.onnxruntime import onnxruntime
from compress.training.history import quiet

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


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def context(tmp_path: Path, said: list[str]) -> Context:
    return Context("measure", tmp_path, tmp_path, tmp_path, 0, lambda _done, _total, note: said.append(note))


def test_an_int8_answer_does_not_depend_on_the_other_rows(
    rows: Encoded, candidate: Candidate, context: Context
) -> None:
    session = onnxruntime.open(candidate.file, {}, threads=1)

    def in_batches(size: int) -> list[int]:
        return [int(answer) for _, feed in feeds(rows, size, order="given") for answer in session(feed).argmax(-1)]

    assert answers(candidate, rows, TASK, context, quiet).ids.tolist() == in_batches(1)
    assert in_batches(8) != in_batches(1)


def test_every_row_is_told(rows: Encoded, candidate: Candidate, context: Context) -> None:
    told: list[tuple[int, int, str]] = []
    progress = Progress(lambda *news: told.append(news), 3)
    answers(candidate, rows, TASK, context, progress.within("tiny"))
    assert told == [(0, 3, f"tiny, row {row} of 300") for row in range(1, 301)]


def test_the_logits_of_every_row_are_kept_in_its_place(rows: Encoded, candidate: Candidate, context: Context) -> None:
    found = answers(candidate, rows, TASK, context, quiet)
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
    rows: Encoded, candidate: Candidate, context: Context, broken: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Candidate, "open", lambda *_: _Says([1.0, 2.0], 7, [0.5, broken]))
    row = int(np.argsort(rows.lengths, kind="stable")[7])
    said = f"tiny onnxruntime-int8: the logits of row {row + 1} of b.tsv are no finite numbers: 0.5, {broken}. Leave"
    for _ in range(2):
        with pytest.raises(NotFinite, match=re.escape(said)):
            answers(candidate, rows, TASK, context, quiet)


def refuse(*_: object) -> _Says:
    pytest.fail("it was asked again")


def test_what_was_answered_is_not_asked_again(
    rows: Encoded, candidate: Candidate, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = candidate._replace(precision="no/such: precision")
    first = answers(candidate, rows, TASK, context, quiet)
    monkeypatch.setattr(Candidate, "open", lambda *_: _Says([1.0, 2.5], 7, [3.0, 2.0]))
    second = answers(other, rows, TASK, context, quiet)
    monkeypatch.setattr(Candidate, "open", refuse)
    for one, before in ((candidate, first), (other, second)):
        again = answers(one, rows, TASK, context, quiet)
        assert before.logits is not None
        assert again.logits is not None
        assert (again.ids.tobytes(), again.logits.tobytes()) == (before.ids.tobytes(), before.logits.tobytes())
        assert (again.ids.dtype, again.logits.dtype) == (np.int64, np.float32)
    assert first.ids.tolist() != second.ids.tolist()


def test_what_was_not_sealed_is_not_read(
    rows: Encoded, candidate: Candidate, context: Context, said: list[str]
) -> None:
    first = answers(candidate, rows, TASK, context, quiet)
    (kept,) = context.work.glob("answers/*.safetensors")
    (mark,) = context.work.glob("answers/*.seal")
    mark.unlink()
    kept.write_bytes(b"half of it")
    assert answers(candidate, rows, TASK, context, quiet).ids.tolist() == first.ids.tolist()
    assert said == []


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
            "has been changed",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "bytes, not"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_answers_that_are_damaged_are_asked_anew_and_that_is_said(
    harm: Callable[[Path], object],
    told: str,
    rows: Encoded,
    candidate: Candidate,
    context: Context,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = answers(candidate, rows, TASK, context, quiet)
    (kept,) = context.work.glob("answers/*.safetensors")
    harm(kept)
    again = answers(candidate, rows, TASK, context, quiet)
    assert again.ids.tolist() == first.ids.tolist()
    (note,) = said
    assert told in note
    assert note.endswith(": dropped, and made anew")
    monkeypatch.setattr(Candidate, "open", refuse)
    answers(candidate, rows, TASK, context, quiet)


def test_what_gives_no_probabilities_has_ids_alone(
    rows: Encoded, candidate: Candidate, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = replace(registry.TASKS.load(TASK.type), probabilities=False)
    monkeypatch.setattr(registry.TASKS, "load", lambda _name: kind)
    assert [answers(candidate, rows, TASK, context, quiet).logits for _ in range(2)] == [None, None]
