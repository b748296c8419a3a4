"""Half-done work counts for what it was begun for, and for nothing else."""

import shutil
from pathlib import Path

import pytest

from compress.run import execute
from compress.training.history import quiet


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = execute._work(tmp_path / "measure", "one", quiet)
    (folder / "answers").mkdir()
    (folder / "answers" / "kept.seal").write_text("{}")
    return folder


def test_half_done_work_stays_for_the_same_fingerprint_alone(work: Path) -> None:
    assert execute._work(work, "one", quiet) == work
    assert (work / "answers" / "kept.seal").is_file()
    assert execute._work(work, "two", quiet) == work
    assert [path.name for path in work.rglob("*")] == ["fingerprint.seal"]


def test_what_cannot_be_removed_never_counts_as_begun_for_another(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as locked:
        locked.setattr(shutil, "rmtree", refuse)
        with pytest.raises(PermissionError):
            execute._work(work, "two", quiet)
    assert execute._work(work, "one", quiet) == work
    assert (work / "answers" / "kept.seal").is_file()
