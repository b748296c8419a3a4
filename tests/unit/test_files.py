"""Files and folders that are written whole, and brought to the disk here and where a system allows less."""

import errno
import os
from pathlib import Path

import pytest

from compress.errors import InputError
from compress.files import flush, opened, read_json, sha256, write_folder


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """What reached the disk: each handle's inode, and whether it was open for writing."""
    seen = []

    def fsync(handle: int) -> None:
        fcntl = pytest.importorskip("fcntl")
        access = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE
        seen.append((os.fstat(handle).st_ino, access != os.O_RDONLY))

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_files_and_folders_are_brought_to_the_disk(tmp_path: Path, flushed: list[tuple[int, bool]]) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"12")
    flush(file)
    flush(tmp_path)
    assert flushed == [(file.stat().st_ino, True), (tmp_path.stat().st_ino, False)]
    assert file.read_bytes() == b"12"


def test_a_file_that_may_not_be_written_is_opened_to_read(
    tmp_path: Path, flushed: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "weights.bin"
    file.touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root every file may be written
    flush(file)
    assert flushed == [(file.stat().st_ino, False)]


def test_a_folder_that_cannot_be_opened_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "as on Windows")

    (tmp_path / "weights.bin").touch()
    monkeypatch.setattr(os, "open", refuse)
    flush(tmp_path)
    with pytest.raises(PermissionError):
        flush(tmp_path / "weights.bin")


@pytest.mark.parametrize(("code", "folder_raises"), [(errno.EBADF, False), (errno.EINVAL, False), (errno.EIO, True)])
def test_a_failing_disk_is_no_secret(
    code: int, folder_raises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "weights.bin").touch()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        flush(tmp_path / "weights.bin")
    if folder_raises:
        with pytest.raises(OSError, match=os.strerror(code)):
            flush(tmp_path)
    else:
        flush(tmp_path)


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with write_folder(out) as made:
        (made / "one").write_text("1")
        assert not out.exists()
    with pytest.raises(FileNotFoundError), write_folder(out) as made:
        (made / "no folder" / "two").write_text("2")
    assert [path.name for path in out.iterdir()] == ["one"]
    with write_folder(out) as made:
        (made / "three").write_text("3")
    assert [path.name for path in out.iterdir()] == ["three"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"123456")
    for name, most, message in (
        ("pipe", None, "pipe or a device"),
        ("zeros", None, "pipe or a device"),
        (".", None, "directory"),
        ("large", 5, "Is larger than"),
        ("gone", None, "No such file"),
    ):
        with pytest.raises(OSError, match=message):
            opened(tmp_path / name, most)
    with pytest.raises(OSError, match="pipe or a device"):
        sha256(tmp_path / "pipe")
    with opened(tmp_path / "large", 6) as stream:
        assert stream.read() == b"123456"


def test_json_of_any_depth_and_size_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(InputError, match=r"x\.json: not JSON that can be read"):
        read_json(path)
    with path.open("wb") as stream:
        stream.truncate(10**9)
    with pytest.raises(InputError, match=r"x\.json: cannot be read: Is larger than 200 MB\."):
        read_json(path)
    path.write_text(r'{"a": "\ud800"}')
    with pytest.raises(InputError, match=r"x\.json: holds half of a surrogate pair"):
        read_json(path)
    path.write_text(r'{"a": "\ud83d\ude00"}')
    assert read_json(path) == {"a": "😀"}
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_json(path) == {}
