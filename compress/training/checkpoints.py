"""Resumable checkpoints: a folder counts only if the seal that is written into it last is there, and nothing is damaged."""

import re
import shutil
from pathlib import Path
from typing import Any

from compress.store import seal as sealing
from compress.training.history import Notify, quiet

SEAL = "complete.seal"


def seal(folder: Path, content: dict[str, Any]) -> None:
    """Declare a checkpoint complete: its files are brought to the disk, then the seal is written."""
    sealing.write(folder / SEAL, {**content, "files": sealing.facts(folder, sealing.below(folder))})


def latest(work: Path, key: str, notify: Notify = quiet) -> tuple[Path, dict[str, Any]] | None:
    """The newest complete checkpoint whose seal bears the key, with the seal's content; a damaged one is told of."""
    for folder in sorted(_folders(work), key=_step, reverse=True):
        content = sealing.kept(folder / SEAL, notify)
        if content is not None and content["key"] == key:
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
