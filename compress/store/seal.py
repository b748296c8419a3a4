"""Facts on disk that vouch for themselves and for the files beside them: a change of any byte is noticed.

A seal is a JSON file. It bears the SHA-256 of its own text, and under `files` the size and SHA-256 of each file that it
vouches for; what it does not name, or is there without a seal, is half-written and never read. It is written last.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from compress.errors import InputError
from compress.files import flush, inside, read_json, sha256, text_digest, write_text

SUFFIX = ".seal"
"""Of the seals of half-done work and of caches, by which they are found."""
_OWN = "sha256"

Say = Callable[[int, int, str], None]
"""Told of what is dropped, as a run is told of progress: 0, 0, a note."""
Files = Mapping[str, Mapping[str, Any]]
"""By the name below the seal's folder: `size` in bytes, `sha256`; `grows` if more may stand behind, which is not read."""


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Vouch for the content, and for the files whose facts it holds under `files`."""
    write_text(path, _text({**content, _OWN: text_digest(_text(content))}))
    flush(path.parent)


def facts(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of files, which are brought to the disk."""
    found = {}
    for name in names:
        flush(folder / name)
        found[name] = {"size": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
    return found


def below(folder: Path) -> list[str]:
    """The names of all files in a folder and in those below it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def content(path: Path) -> dict[str, Any]:
    """What a seal says, without its own digest; the files are not looked at.

    Raises: InputError naming the seal if it is not as it was written
    """
    value = read_json(path)
    told = value.pop(_OWN, None) if isinstance(value, dict) else None
    if told is None:
        raise InputError(f"{path}: bears no SHA-256 of its own.")
    try:  # its text, too, is as it was written: no byte is beside the point
        whole = text_digest(_text(value)) == told and path.read_bytes() == _text({**value, _OWN: told}).encode()
    except ValueError:  # NaN, half a surrogate pair: no seal is written with them
        whole = False
    if not whole:
        raise InputError(f"{path} has been changed (the SHA-256 that it bears differs)")
    return dict(value)


def damage(folder: Path, files: Files, *, contents: bool = True) -> str | None:
    """What is wrong with files: missing or of another size; with `contents`, of another digest. None if all is well.

    Raises: InputError if a name leads out of the folder
    """
    for name, told in files.items():
        inside(folder, name)
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        size = path.stat().st_size
        if size < told["size"] or (size > told["size"] and not told.get("grows")):
            return f"{path} has {size} bytes, not {told['size']}"
        if contents and sha256(path, told["size"]) != told["sha256"]:
            return f"{path} has been changed (its SHA-256 differs)"
    return None


def fault(path: Path) -> str | None:
    """What is wrong with a seal or with what it vouches for; None if all is well."""
    try:
        return damage(path.parent, content(path).get("files", {}))
    except InputError as error:
        return str(error)
    except (TypeError, KeyError, AttributeError):
        return f"{path}: not a seal of this program."


def kept(path: Path, say: Say) -> dict[str, Any] | None:
    """What a seal says, every file that it vouches for being as it was; None if there is none.

    If something is damaged, it is said, and the seal removed: what was kept is made anew.
    """
    if not path.is_file():
        return None
    found = fault(path)
    if found is None:
        return content(path)
    path.unlink(missing_ok=True)
    say(0, 0, f"{found.removesuffix('.')}: dropped, and made anew")
    return None


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
