"""A model that cannot read rows of `task.max_length` is refused before anything is trained."""

from pathlib import Path

import pytest
import tiny

from compress.config import settings
from compress.encoders import checkpoint
from compress.errors import InputError
from compress.stages import distill, export
from compress.stages.context import Context
from compress.stages.material import encoded


def task(folder: Path, max_length: int) -> settings.Task:
    (folder / "rows.tsv").write_text("label\ttext\na\tthe good film\nb\ta dull film\nc\tlight on\n")
    data = settings.Data(train="rows.tsv", validation="rows.tsv")
    return settings.Task(type="text-classification", data=data, max_length=max_length)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_rows_are_not_made_for_a_model_that_does_not_reach(family: str, tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer(tmp_path)
    tokenizer.model_max_length = 10**30  # as of tokenizers that do not know their model
    rows = encoded("train", task(tmp_path, 64), tmp_path, tokenizer, tiny.model(family), "the teacher")
    assert len(rows) == 3
    with pytest.raises(
        InputError, match=r"task\.max_length: 65 is more than the 64 tokens that the teacher has .* Give at most 64"
    ):
        encoded("train", task(tmp_path, 65), tmp_path, tokenizer, tiny.model(family), "the teacher")


@pytest.mark.parametrize(("model", "name"), [("teacher", "the teacher"), ("tiny", "the student tiny")])
def test_what_is_exported_is_named(model: str, name: str, tmp_path: Path) -> None:
    checkpoint.save(tiny.model(), tmp_path / "model")
    tiny.tokenizer(tmp_path / "model")
    context = Context(f"export/{model}/onnxruntime", tmp_path, tmp_path, tmp_path, 0, lambda done, total, note: None)
    asked = export.Settings(task(tmp_path, 65), settings.Export(target="onnxruntime", precision=("fp32",)))
    with pytest.raises(InputError, match=f"65 is more than the 64 tokens that {name} has"):
        export.export(asked, export.Needs(tmp_path / "model"), context)


def test_a_pretrained_student_that_does_not_reach_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student = tiny.model(), tiny.model(layers=1)
    positions = student.bert.embeddings
    positions.position_embeddings.weight.data = positions.position_embeddings.weight.data[:16].clone()
    student.config.max_position_embeddings = 16
    for name, model in (("teacher", teacher), ("student", student)):
        checkpoint.save(model, tmp_path / name)
        tiny.tokenizer(tmp_path / name)
    monkeypatch.setattr(distill, "learn", lambda *_: pytest.fail("training began"))
    context = Context("distill/tiny", tmp_path, tmp_path, tmp_path, 0, lambda done, total, note: None)
    asked = settings.Student(use="tiny", model=settings.Model(folder="student"))
    needs = distill.Needs(tmp_path / "teacher")
    with pytest.raises(InputError, match=r"task\.max_length: 17 is more than the 16 tokens that the student tiny has"):
        distill.distill(distill.Settings(task(tmp_path, 17), asked), needs, context)
