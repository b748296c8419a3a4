"""What is broken in a run folder, and what a repair removes."""

from pathlib import Path

import pytest

from compress.errors import InputError
from compress.store import artifact, seal
from compress.store.repair import examine, faults


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "demo"
    for name in ("teacher", "distill/tiny"):
        with artifact.create(folder / name, name, {}, "mark") as draft:
            (draft.folder / "model.safetensors").write_text(name)
            (draft.folder / "config.json").write_text("{}")
    seal.write(folder / artifact.LOCK, {"steps": {}})
    half = folder / ".work" / "prune" / "tiny"
    (half / "checkpoint-2").mkdir(parents=True)
    (half / "checkpoint-2" / "model.safetensors").write_text("half")
    (half / "half-written.bin").write_text("?")
    seal.write(
        half / "checkpoint-2" / "complete.seal", {"files": seal.facts(half / "checkpoint-2", ["model.safetensors"])}
    )
    (tmp_path / "runs" / ".cache").mkdir()
    seal.write(tmp_path / "runs" / ".cache" / "table.seal", {"points": {}})
    return folder


def test_a_whole_run_has_no_faults(run: Path) -> None:
    assert faults(run) == []
    with pytest.raises(InputError, match="is no run folder"):
        examine(run.parent.parent, repair=False)
    assert not (run.parent.parent / ".lock").exists()


@pytest.mark.parametrize(
    ("harmed", "gone"),
    [
        ("teacher/model.safetensors", "teacher"),
        ("distill/tiny/manifest.json", "distill/tiny/manifest.json"),
        ("lock.json", "lock.json"),
        (".work/prune/tiny/checkpoint-2/model.safetensors", ".work/prune/tiny/checkpoint-2/complete.seal"),
        (".work/prune/tiny/checkpoint-2/complete.seal", ".work/prune/tiny/checkpoint-2/complete.seal"),
        ("../.cache/table.seal", "../.cache/table.seal"),
    ],
)
def test_a_fault_is_named_and_only_what_is_broken_goes(run: Path, harmed: str, gone: str) -> None:
    path = run / harmed
    path.write_bytes(path.read_bytes()[:-1])
    there = {each for each in run.parent.rglob("*") if each.is_file()}
    (found,) = faults(run)
    assert path.resolve().as_posix() in str(Path(found.what.split(" ")[0].split(":")[0]).resolve())
    assert examine(run, repair=True) == [found]
    assert faults(run) == []
    left = {each for each in run.parent.rglob("*") if each.is_file()}
    assert {each for each in there - left if not each.is_relative_to((run / gone).resolve())} == set()
    assert not (run / gone).exists()


def test_what_killed_runs_leave_is_named_and_removed_or_put_back(run: Path) -> None:
    (run / "teacher").rename(run / ".old-teacher-12345678")
    (run / ".draft-measure-12345678").mkdir()
    (run / ".lock.json.abc").write_text("{")
    found = faults(run)
    assert [fault.remove.name for fault in found] == [
        ".draft-measure-12345678",
        ".lock.json.abc",
        ".old-teacher-12345678",
    ]
    assert examine(run, repair=True) == found
    assert faults(run) == []
    assert artifact.read(run / "teacher") is not None


def test_a_strangers_manifest_costs_no_other_file(run: Path) -> None:
    (run / "notes").mkdir()
    (run / "notes" / "manifest.json").write_text("{}")
    (run / "notes" / "mine.txt").write_text("mine")
    assert len(examine(run, repair=True)) == 1
    assert [path.name for path in (run / "notes").iterdir()] == ["mine.txt"]
