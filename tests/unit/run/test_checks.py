"""Mistakes that only show when targets, data and exports are looked at."""

from pathlib import Path

import project
import pytest

from compress.config.pipeline import load
from compress.errors import InputError, NotAvailable
from compress.run import checks


def problems(folder: Path, *sets: str) -> list[str]:
    path = project.write(folder)
    with pytest.raises(InputError) as error:
        checks.check(load(path, sets))
    return [str(problem) for problem in error.value.problems]


def test_a_good_project_passes(tmp_path: Path) -> None:
    checks.check(load(project.write(tmp_path)))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("export.0.precision=[fp32, int9]", "no such precision of onnxruntime `int9`. Did you mean `int8`?"),
        ("export.0.precision=[int8, int8]", "onnxruntime-int8 is built twice"),
        ("export.0.recipe=fp16", "no such recipe of onnxruntime `fp16`"),
        ("gate.students=[smal]", "no such student `smal`. Did you mean `small`?"),
        ("gate.size.on=onnxruntime-int4", "no such export `onnxruntime-int4`. Did you mean `onnxruntime-int8`?"),
        ("gate.latency={p95_ms: 5, batch: 2}", "2 is not measured. Give one of measure.batch: 1."),
        ("gate.baseline=reports/none.json", "cannot be read"),
        ("measure.sequence=[99]", "99 is above task.max_length, 16"),
        ("export=[]", "nothing is exported, so nothing can be judged"),
        ("task.data.test=tests.tsv", "Did you mean `test.tsv`?"),
    ],
)
def test_single_mistakes(tmp_path: Path, assignment: str, message: str) -> None:
    assert any(message in line for line in problems(tmp_path, assignment)), problems(tmp_path, assignment)


def test_mistakes_of_settings_and_rows_come_together(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    (tmp_path / "test.tsv").write_text("label\ttext\nlight\tone\nligth\ttwo\nmusic\t\n")
    with pytest.raises(InputError) as error:
        checks.check(load(path, ["gate.students=[x]"]))
    lines = [str(problem) for problem in error.value.problems]
    assert len(lines) == 3
    assert lines[1].startswith("test.tsv:3: the label `ligth` is not known. Did you mean `light`?")
    assert lines[2].startswith("test.tsv:4: empty text")


def test_a_target_that_is_not_here_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compress.registry import TARGETS

    loaded = load(project.write(tmp_path))
    monkeypatch.setattr(type(TARGETS.load("onnxruntime")), "unavailable", lambda _self: "no such engine here.")
    with pytest.raises(NotAvailable, match=r"pipeline\.yaml:15: export\.0\.target: onnxruntime: no such engine here\."):
        checks.available(loaded)
