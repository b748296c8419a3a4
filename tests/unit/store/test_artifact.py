"""Artifacts: whole or not there."""

from pathlib import Path

import pytest

from compress.errors import CompressError, InputError
from compress.store import artifact, seal


def made(folder: Path, text: str = "one", parts: dict[str, str] | None = None) -> artifact.Artifact:
    with artifact.create(folder, "teacher", parts or {"settings.a": "1"}, "mark") as draft:
        (draft.folder / "sub").mkdir()
        (draft.folder / "sub" / "weights.bin").write_text(text)
        (draft.folder / "history.json").write_text("{}")
    found = artifact.read(folder)
    assert found is not None
    return found


def test_a_draft_becomes_the_artifact_at_the_end(tmp_path: Path) -> None:
    found = made(tmp_path / "distill" / "tiny")
    assert set(found.manifest.files) == {"sub/weights.bin", "history.json"}
    assert found.manifest.parts == {"settings.a": "1"}
    assert found.damage(contents=True) is None
    assert [path.name for path in (tmp_path / "distill").iterdir()] == ["tiny"]


def test_a_failed_draft_leaves_the_old_artifact(tmp_path: Path) -> None:
    before = made(tmp_path / "a")

    def fail() -> None:
        with artifact.create(tmp_path / "a", "a", {}, "x") as draft:
            (draft.folder / "half").write_text("half")
            raise ValueError("broke")

    with pytest.raises(ValueError, match="broke"):
        fail()
    assert artifact.read(tmp_path / "a") == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_stage_that_makes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CompressError, match="made no files"), artifact.create(tmp_path / "a", "a", {}, "x"):
        pass


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    one = made(tmp_path / "a", "same", {"settings.a": "1"}).manifest.digest
    two = made(tmp_path / "b", "same", {"settings.a": "2"}).manifest.digest
    three = made(tmp_path / "c", "other").manifest.digest
    assert one == two != three


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_text("longer"), "bytes, not"),
        (lambda path: path.write_text("two"), "has been changed"),
    ],
)
def test_damage_is_noticed(tmp_path: Path, harm, message: str) -> None:  # type: ignore[no-untyped-def]
    found = made(tmp_path / "a")
    harm(found.folder / "sub" / "weights.bin")
    assert message in str(found.damage(contents=True))


def test_a_broken_manifest_is_named(tmp_path: Path) -> None:
    made(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text('{"manifest_version": 1')
    with pytest.raises(InputError, match=r"manifest\.json:1: not JSON"):
        artifact.read(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").write_text('{"manifest_version": 9}')
    with pytest.raises(InputError, match="manifest version 9, this program reads 2"):
        artifact.read(tmp_path / "a")


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"x": {}}},
        {"files": {"x": {"size": "1", "sha256": "0"}}},
        {"files": {"x": {"size": 1, "sha256": None}}},
        {"files": {"x": "whole"}},
        {"files": ["x"]},
        {"parts": {"settings.a": 1}},
        {"parts": ["settings.a"]},
    ],
)
def test_a_manifest_of_other_values_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    made(tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    seal.write(path, {**seal.content(path), **change})
    with pytest.raises(InputError, match=r"manifest\.json: not a manifest of this program"):
        artifact.read(tmp_path / "a")


def test_a_manifest_cannot_name_files_outside(tmp_path: Path) -> None:
    found = made(tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    told = seal.content(path)
    (tmp_path / "secret").touch()
    seal.write(path, {**told, "files": {"../secret": told["files"]["history.json"]}})
    again = artifact.read(found.folder)
    assert again is not None
    with pytest.raises(InputError, match="leads out of"):
        again.damage(contents=False)


def test_sweeping_removes_drafts_and_puts_back_what_was_moved_aside(tmp_path: Path) -> None:
    made(tmp_path / "x" / "kept")
    (tmp_path / "x" / ".draft-a-1234abcd").mkdir()
    (tmp_path / "x" / "kept").rename(tmp_path / "x" / ".old-kept-1234abcd")
    artifact.sweep(tmp_path)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["kept"]
