"""Files written whole or not at all, and their digests."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from compress.errors import InputError

DESCRIPTION = "export.json"
"""In an exported folder, the file that says what was built, and how each file is opened."""

PREPROCESS = "preprocess.json"
"""Beside it, the file that says how texts become inputs; see `Target.predict`."""

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_CHUNK_BYTES = 2**20

_JSON_LIMIT_BYTES = 200_000_000
"""The largest JSON that the program makes or takes, tokenizers and reports, is a tenth of it."""


def sha256(path: Path, size: int | None = None) -> str:
    """The SHA-256 of a file's content, or of its first `size` bytes, as hex.

    Raises: OSError as `opened`
    """
    digest = hashlib.sha256()
    with opened(path) as stream:
        while part := stream.read(_CHUNK_BYTES if size is None else min(size, _CHUNK_BYTES)):
            digest.update(part)
            size = None if size is None else size - len(part)
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def flush(path: Path) -> None:
    """Bring a file's content, or a folder's list of entries, to the disk.

    Nothing is done where that cannot be asked for: Windows opens no folders, and some systems flush only what is open
    for writing, which folders and read-only files cannot be.
    Raises: OSError if the disk fails or is full.
    """
    writable = path.is_file() and os.access(path, os.W_OK)
    try:
        handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if writable or error.errno not in (errno.EBADF, errno.EINVAL):
            raise
    finally:
        os.close(handle)


def opened(path: Path, most: int | None = None) -> BinaryIO:
    """A file of at most so many bytes, opened to be read.

    Raises: OSError also if it is no plain file (a folder; a pipe or a device, whose end nobody knows) or larger
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))  # a pipe would wait
    try:
        state = os.fstat(handle)
        if stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "Is a pipe or a device, not a file", str(path))
        if most is not None and state.st_size > most:
            raise OSError(errno.EOVERFLOW, f"Is larger than {most // 10**6} MB", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # a full disk has no name of its own
        raise


def halves(path: Path) -> list[Path]:
    """What is left of a file's writing where the process was killed meanwhile."""
    return [half for half in path.parent.glob(f".{path.name}.????????") if half.is_file()]


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) as `write_bytes` does."""
    write_bytes(path, text.encode())


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to be filled, which then takes the place of `path`; nothing changes if filling it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as around:
        made = Path(around, path.name)
        made.mkdir()
        yield made
        shutil.rmtree(path, ignore_errors=True)
        made.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises: InputError naming the file and the line where it stops being JSON.
    """
    try:
        with opened(path, _JSON_LIMIT_BYTES) as stream:
            text = stream.read().decode("utf-8-sig")
        value = json.loads(text)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}.") from error
    except UnicodeEncodeError as error:  # no text could be made of it again
        raise InputError(f"{path}: holds half of a surrogate pair (\\ud800 … \\udfff).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON that can be read: {error}.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error


def inside(folder: Path, name: str) -> Path:
    """The path of `name` below `folder`.

    Raises: InputError if the name leads out of the folder (`..`, an absolute path, a link).
    """
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself; a NUL in the name
        raise InputError(f"{name!r}: no name of a file inside of {folder}: {error}.") from error
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"{name}: leads out of {folder}. Give a name inside it.")
    return path
