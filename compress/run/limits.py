"""When the machine gives out: which errors of Python and of the libraries mean a full disk, too little memory and the like."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compress.errors import InputError, MachineLimit
from compress.units import size

_ROOM = "Make room there"
_RIGHTS = "Make the folder writable"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: "See to the disk",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n`)",
    errno.ENFILE: "Close other programs",
}
_FOR_OUR_FILES = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
"""Elsewhere these say that a path that the user gave cannot be used."""
_NUMBERED = re.compile(r"\((?:os error|error code) (\d+)\)|\[[Ee]rrno (\d+)\]")
_UNSAID = re.compile(
    r"PytorchStreamWriter failed writing|inline_container\.cc.*unexpected pos|iostream error|Protobuf serialization failed"
)
"""What writers in C++ say of a file that they could not write whole."""
_MEMORY = re.compile(
    r"can't allocate memory|Cannot allocate memory|[Uu]nable to allocate|[Ff]ailed to allocate memory|bad_alloc"
    r"|bad allocation|[Nn]ot enough memory|[Oo]ut of memory|MemoryError|can't start new thread|ThreadPoolBuildError"
    r"|failed to map segment from shared object"
)
_LESS_MEMORY = "Close other programs, raise the limit, or lower `batch_size` or `max_length`"


def found(error: BaseException, where: Path | None = None) -> MachineLimit | None:
    """The error as one of the machine's; None if it is none.

    `where` is the run's folder, which is written to: what it and its files forbid is no mistake of the user.
    """
    for each in _chain(error):
        if isinstance(each, MachineLimit):
            return each
        # What is said of a user's file is of the file, whatever words it has.
        if not isinstance(each, InputError) and (limit := _limit(each, where)):
            return limit
    return None


@contextmanager
def told(where: Path) -> Iterator[None]:
    """Raises: MachineLimit in place of the errors that mean it, while a run's folder is written to"""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # what panics in Rust, as for want of a thread, is no Exception
        limit = found(error, where)
        if limit is None or limit is error:
            raise
        raise limit from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _limit(error: BaseException, where: Path | None) -> MachineLimit | None:
    text = str(error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    code = _code(error, text)
    if code == errno.ENOMEM or isinstance(error, MemoryError) or _MEMORY.search(f"{type(error).__name__}: {text}"):
        return MachineLimit(f"memory ran out ({line})", _LESS_MEMORY)
    if _UNSAID.search(text):
        place = _fuller(where)
        what = f"{_at(place)}a file could not be written whole{_free(place)}"
        return MachineLimit(what, f"{_ROOM}, or raise `ulimit -f`")
    if code not in _REMEDIES:
        return None
    file = _named(error) or _fuller(where)
    ours = where is not None and file is not None and file.absolute().is_relative_to(where.absolute().parent)
    if code in _FOR_OUR_FILES and not ours:
        return None
    full = _free(file) if _REMEDIES[code] == _ROOM else ""
    return MachineLimit(f"{_at(file)}{os.strerror(code)}{full}", _REMEDIES[code])


def _code(error: BaseException, text: str) -> int | None:
    """The number of the system's error, which some libraries have in their text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    numbers = _NUMBERED.search(text)
    return int(numbers[1] or numbers[2]) if numbers else None


def _named(error: BaseException) -> Path | None:
    name = error.filename if isinstance(error, OSError) else None
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes) else None


def _fuller(where: Path | None) -> Path | None:
    """Of the run's folder and the one for temporary files that whose disk has less room: few errors name a file."""
    if where is None:
        return None
    folders = [folder for folder in (where, Path(tempfile.gettempdir())) if folder.is_dir()]
    return min(folders, key=lambda folder: shutil.disk_usage(folder).free, default=where)


def _at(file: Path | None) -> str:
    return "" if file is None else f"{file}: "


def _free(file: Path | None) -> str:
    """How much room the disk of a file has left."""
    folder = next((each for each in (file, *file.parents) if each.is_dir()), None) if file is not None else None
    try:
        return "" if folder is None else f" ({size(shutil.disk_usage(folder).free)} are free)"
    except OSError:
        return ""
