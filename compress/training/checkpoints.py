"""Resumable checkpoints: a folder counts only if the seal that is written into it last is there."""

import re
import shutil
from pathlib import Path
from typing import Any

from compress import files

SEAL = "complete.json"


def seal(folder: Path, content: dict[str, Any]) -> None:
    """Declare a checkpoint complete: its files are brought to the disk, then the seal is written."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.flush(path)
    files.write_json(folder / SEAL, content)
    files.flush(folder)


def latest(work: Path, key: str) -> tuple[Path, dict[str, Any]] | None:
    """The newest complete checkpoint whose seal bears the key, with the seal's content."""
    for folder in sorted(_folders(work), key=_step, reverse=True):
        if (folder / SEAL).is_file():
            content: dict[str, Any] = files.read_json(folder / SEAL)
            if content["key"] == key:
                return folder, content
    return None


def keep_only(work: Path, kept: Path | None) -> None:
    """Remove every checkpoint but one: older ones, torn ones, those of another training."""
    for folder in _folders(work):
        if folder != kept:
            # Without its seal it is no checkpoint any more, should the removal be cut short.
            (folder / SEAL).unlink(missing_ok=True)
            shutil.rmtree(folder)


def _folders(work: Path) -> list[Path]:
    return [path for path in work.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()]


def _step(folder: Path) -> int:
    return int(folder.name.removeprefix("checkpoint-"))
