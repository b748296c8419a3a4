"""A run whose student learns from labelled, unlabelled and augmented rows."""

import json
from pathlib import Path

import project
import pytest

from compress.cli.main import code
from compress.data import sources

SETS = (
    "task.data.unlabelled=more.jsonl",
    "augment={copies: 2, replace: 0.5}",
    "teacher.train.epochs=3",
    "students.small.distill={losses: {soft_label: 1, hard_label: 1}, checkpoint_steps: 1}",
)
SETTINGS = [part for given in SETS for part in ("--set", given)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transfer")
    path = project.write(folder)
    text = path.read_text()
    path.write_text(text[: text.index("  narrow:")] + text[text.index("export:") :])
    lines = [row.split("\t")[1] for row in project.rows(30, 128).splitlines()[1:]]
    (folder / "more.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in lines))
    assert code(["run", str(path), "--until", "prune", *SETTINGS]) == 0
    return folder


def test_all_rows_are_learned_from(finished: Path) -> None:
    run = finished / "runs" / "demo"
    new = sources.load_texts(run / "augment" / "augmented.jsonl", pairs=False)
    made = json.loads((run / "augment" / "augmentation.json").read_text())
    assert len(new) == made["rows"] > 30
    history = json.loads((run / "distill" / "small" / "history.json").read_text())
    assert history["rows"] == 2 * (64 + 30 + len(new))
    assert json.loads((run / "prune" / "small" / "history.json").read_text())["rows"] == 64 + 30 + len(new)
    assert json.loads((run / "teacher" / "history.json").read_text())["rows"] == 3 * 64


def test_interrupted_in_the_middle_it_ends_with_the_same_weights(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress.cli.watch import Terminal
    from compress.stages import augment

    for name in ("pipeline.yaml", "train.tsv", "dev.tsv", "test.tsv", "more.jsonl"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    for room in ("teachers", "students"):
        (tmp_path / room).symlink_to(finished / room)
    stops = {("words are replaced", 32), ("the teacher answers the training rows", 0), ("epoch", 5)}

    def progress(self: Terminal, done: int, total: int, note: str) -> None:
        for stop in list(stops):
            if note.startswith(stop[0]) and done >= stop[1] and self._step != "teacher":
                stops.remove(stop)
                raise KeyboardInterrupt

    monkeypatch.setattr(Terminal, "progress", progress)
    monkeypatch.setattr(augment, "PART", 16)
    command = ["run", str(tmp_path / "pipeline.yaml"), "--until", "distill", *SETTINGS]
    assert [code(command) for _ in range(4)] == [130, 130, 130, 0]
    for name in ("augment/augmented.jsonl", "distill/small/model.safetensors"):
        assert (tmp_path / "runs" / "demo" / name).read_bytes() == (finished / "runs" / "demo" / name).read_bytes(), (
            name
        )


def test_nothing_is_left_to_do(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(["plan", str(finished / "pipeline.yaml"), "--until", "prune", *SETTINGS]) == 0
    out = capsys.readouterr().out
    assert "= augment" in out
    assert "0 of" in out
