"""Broken files of a run: each one is noticed, named and made anew."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import project
import pytest

from compress.cli.main import code
from compress.files import sha256
from compress.run import checks
from compress.run.plan import Plan
from compress.store.repair import faults

FLIPS = 12
"""A file: with two truncations of each of some forty files, five hundred cases."""
SMALL = [
    "--set",
    "students={small: {use: one-layer, prune: {heads: 0.5, neurons: 0.5, rows: 16}}}",
    "--set",
    "teacher.train.checkpoint_steps=20",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    assert code(["run", str(project.write(folder)), *SMALL]) == 0
    return folder


def harmed(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """The content with a bit of one byte flipped, at random places, and cut off."""
    for _ in range(FLIPS):
        broken = bytearray(content)
        broken[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        yield bytes(broken)
    yield content[:-1]
    yield content[: chance.randrange(len(content))]


def test_a_flipped_bit_or_a_cut_of_any_file_is_named(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    run, chance, cases = tmp_path / "runs" / "demo", random.Random(0), 0
    plan = Plan(checks.load(tmp_path / "pipeline.yaml", SMALL[1::2]))
    steps = {plan.folder(step.name): step for step in plan.steps}
    for path in sorted(path for path in run.rglob("*") if path.is_file() and path.stat().st_size):
        home = next((folder for folder in path.parents if folder in steps), run)
        content = path.read_bytes()
        for number, broken in enumerate(harmed(content, chance)):
            path.write_bytes(broken)
            (found,) = faults(home if number else run)  # reading the whole run each time would take long
            assert str(path) in found.what
            if home == run:
                assert path.name == "lock.json"  # written anew by every run, which tells of it
            else:
                (item,) = plan.items([steps[home]], contents=True)
                assert item.state == "run"
                assert str(path) in item.reasons[0]
            cases += 1
        path.write_bytes(content)
    assert faults(run) == []
    assert cases >= 500


def test_a_run_makes_what_is_damaged_anew_and_ends_as_before(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "runs" / "demo"
    before = weights(run)
    broken = [run / "teacher" / "model.safetensors", run / "prune" / "small" / "manifest.json", run / "lock.json"]
    for path in broken:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert code(["doctor", str(run)]) == 2
    out = capsys.readouterr().out
    assert all(str(path) in out for path in broken)
    assert out.splitlines()[-1].startswith("3 faults. ")
    assert code(["run", str(tmp_path / "pipeline.yaml"), *SMALL]) == 0
    told = capsys.readouterr().out
    assert all(str(path) in told for path in broken)
    assert told.count("up to date") == 5
    assert weights(run) == before
    assert code(["doctor", str(tmp_path / "pipeline.yaml")]) == 0


def test_a_repair_removes_what_is_broken(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "runs" / "demo"
    report = run / "report" / "report.json"
    report.write_text(report.read_text().replace("100", "001", 1))
    for command in ("gate", "report"):
        assert code([command, str(run)]) == 2
        assert f"{report} has been changed (its SHA-256 differs). `compress run` makes it" in capsys.readouterr().err
    (run / "report" / "report.html").write_text("")
    assert code(["doctor", str(run), "--repair"]) == 0
    assert "report.html has 0 bytes, not " in capsys.readouterr().out
    assert not (run / "report").exists()
    assert code(["doctor", str(run), "--repair"]) == 0
    assert code(["run", str(tmp_path / "pipeline.yaml"), *SMALL]) == 0
    assert (run / "report" / "report.html").stat().st_size


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json", "complete.seal"])
def test_a_damaged_checkpoint_is_dropped_and_training_begins_anew(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from compress.cli.watch import Terminal

    def stop(self: Terminal, done: int, total: int, note: str) -> None:
        if done == 30:
            raise KeyboardInterrupt

    command = ["run", str(project.write(tmp_path)), *SMALL, "--until", "teacher"]
    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "progress", stop)
        assert code(command) == 130
    run = tmp_path / "runs" / "demo"
    path = run / ".work" / "teacher" / "checkpoint-20" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    capsys.readouterr()
    assert code(["doctor", str(run)]) == 2
    assert str(path) in capsys.readouterr().out
    assert code(command) == 0
    out = capsys.readouterr().out
    assert str(path) in out
    assert "dropped, and made anew" in out
    whole = finished / "runs" / "demo" / "teacher" / "model.safetensors"
    assert sha256(run / "teacher" / "model.safetensors") == sha256(whole)


def test_doctor_refuses_while_a_run_holds_the_folder(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from compress.store import lock

    with lock.held(finished / "runs" / "demo"):
        assert code(["doctor", str(finished / "runs" / "demo"), "--repair"]) == 3
    assert "is in use by" in capsys.readouterr().err


def test_doctor_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(["doctor", "--repair"]) == 2
    assert "which run?" in capsys.readouterr().err
    assert code(["doctor", str(project.write(tmp_path))]) == 2
    assert "nothing has run yet" in capsys.readouterr().err
    assert code(["doctor", str(tmp_path)]) == 2
    assert "is no run folder" in capsys.readouterr().err


def weights(run: Path) -> dict[str, str]:
    return {
        str(path.relative_to(run)): sha256(path) for kind in ("safetensors", "onnx") for path in run.rglob(f"*.{kind}")
    }
