"""Each model reads its own tokens; what it answers is judged by itself and beside the teacher."""

from pathlib import Path

import graphs
import numpy as np
import pytest
import spelling
import tiny
from transformers import AutoTokenizer

from compress.config import settings
from compress.data import sources
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.quantization.dynamic import dynamic
from compress.report import record
from compress.report.packing import unpack
from compress.stages import measure
from compress.stages.candidate import Candidate
from compress.stages.context import Context

TASK = settings.Task(type="text-classification", data=settings.Data(train="a.tsv", validation="b.tsv"), max_length=32)


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


def test_a_measuring_that_goes_on_asks_no_model_for_its_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tiny.model(), tmp_path / "teacher")
    tiny.tokenizer(tmp_path / "teacher")
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text("label\ttext\na\tgood film\nb\tbad film\nc\tlong nights\n")
    data = settings.Data(train="train.tsv", validation="dev.tsv")
    task = settings.Task(type="text-classification", data=data, max_length=32)
    asked = measure.Settings(task, settings.Measure(batch=(1,), sequence=(8,), rounds=3))
    needs, told = measure.Needs(tmp_path / "teacher", {}), list[str]()
    context = Context("measure", tmp_path, tmp_path, tmp_path, 0, lambda _done, _total, note: told.append(note))
    with monkeypatch.context() as stopped:
        stopped.setattr(measure, "latency", lambda *_: pytest.fail("stopped"))
        with pytest.raises(pytest.fail.Exception, match="stopped"):
            measure.measure(asked, needs, context)
    first, second = [note for note in told if "accuracy" in note], len(told)
    assert first == [
        f"teacher pytorch-fp32: accuracy{row}" for row in (", row 1 of 3", ", row 2 of 3", ", row 3 of 3", "")
    ]
    measure.measure(asked, needs, context)
    assert [note for note in told[second:] if "accuracy" in note] == first[-1:]


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
