"""A whole run with several teachers, phases and the teacher's states on disk."""

import hashlib
import json
from pathlib import Path

import plugin
import project
import pytest

from compress.cli.main import code

_TEACHERS = """
teachers:
  big: {use: own, model: {scratch: {family: distilbert, vocabulary: {size: 120}, max_positions: 32, architecture: {layers: 3, hidden: 32, heads: 4, intermediate: 32}}}}
  api: {predictions: answers/api.jsonl}
  mine: {call: rule}
"""

_DISTILL = """\
    distill:
      checkpoint_steps: 2
      batch_size: 16
      cache: {budget_gb: 0.01}
      phases:
        - {losses: {hidden_state: 1, attention: 1}, epochs: 2}
        - {losses: {soft_label: 1, logit_mse: 1}, teachers: {teacher: 2, big: 1, api: 1, mine: 0.5}, epochs: 2}
"""

_RULE = """\
import numpy

def answer(texts, pairs, labels):
    assert pairs is None and len(texts) <= 64
    return numpy.array([[3.0 if ("light" in text) == (label == "light") else 0.0 for label in labels] for text in texts])
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    plugin.install(
        monkeypatch, tmp_path / "kit", "[compress.teachers]\nrule = acme_rule:answer\n", {"acme_rule.py": _RULE}
    )
    return written(tmp_path / "whole")


def written(folder: Path) -> Path:
    folder.mkdir()
    path = project.write(folder)
    text = path.read_text().replace("students:\n", f"{_TEACHERS.strip()}\nstudents:\n", 1)
    text = text.replace("    use: one-layer\n", f"    use: one-layer\n{_DISTILL}").replace(
        "rows: 16}", "rows: 16, recover: {epochs: 2}}"
    )
    path.write_text(text)
    labels = [line.split("\t")[0] for line in (folder / "train.tsv").read_text().splitlines()[1:]]
    answers = [
        {
            "row": row,
            "probabilities": {"light": 0.9 if label == "light" else 0.1, "music": 0.1 if label == "light" else 0.9},
        }
        for row, label in enumerate(labels)
    ]
    (folder / "answers").mkdir()
    (folder / "answers" / "api.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return path


def weights(path: Path) -> dict[str, str]:
    runs = path.parent / "runs" / "demo"
    return {
        str(file.relative_to(runs)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in [*runs.rglob("model.safetensors"), *runs.rglob("history.json")]
    }


def test_a_student_learns_from_all_of_them_and_goes_on_where_it_was_stopped(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compress.cli.watch import Terminal

    command = ["--until", "prune/small"]
    assert code(["run", str(path), *command]) == 0
    out = capsys.readouterr().out
    assert "the teacher's inner states on 64 rows take" in out
    runs = path.parent / "runs" / "demo"
    history = json.loads((runs / "distill" / "small" / "history.json").read_text())
    assert [phase["steps"] for phase in history["phases"]] == [8, 8]
    assert history["epochs"][-1]["accuracy"] >= 0.9
    assert history["notes"][0].endswith("and were stored")
    assert (runs / "teachers" / "big" / "model.safetensors").is_file()
    assert "phases" not in json.loads((runs / "prune" / "small" / "history.json").read_text())

    told: list[str] = []

    def progress(self: Terminal, done: int, total: int, note: str) -> None:
        if self._step.startswith("distill"):
            told.append(note)
            if note.startswith("phase 2") and done == stop:
                raise KeyboardInterrupt

    monkeypatch.setattr(Terminal, "progress", progress)
    other, stop = written(tmp_path / "cut"), 5
    assert code(["run", str(other), *command]) == 130
    assert not any("the teacher api answers" in note for note in told)  # a file is only read
    assert any("the teacher mine answers the training rows" in note for note in told)
    told.clear()
    stop = 0
    assert code(["run", str(other), *command]) == 0
    assert [note.partition(":")[0] for note in told] == ["phase 2 of 2"] * 4
    assert weights(other) == weights(path)
    assert len(weights(path)) == 8
