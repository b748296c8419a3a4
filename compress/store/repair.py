"""What is broken in a run folder: found by the digests that stand in it, and removed so that a run makes it anew."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compress.errors import InputError
from compress.store import artifact, lock, seal

CACHE = ".cache"
"""Beside the run folders: what all runs of a project share."""


class Fault(NamedTuple):
    """Something broken."""

    what: str
    """The file and what is wrong with it."""
    remove: Path
    """What goes in a repair: an artifact's folder, or the seal without which nothing that it vouches for is read."""


def examine(run: Path, *, repair: bool) -> list[Fault]:
    """Everything in a run folder, and in the cache beside it, that is not as it was written; with `repair` it is removed,
    and nothing else.

    Raises: InputError if the folder is not a run's; NotAvailable if a run holds it
    """
    if not (run / artifact.LOCK).is_file() and not any((run / name).exists() for name in (".lock", ".work")):
        raise InputError(f"{run}: is no run folder. Give a pipeline file, or the folder of its run: runs/NAME.")
    with lock.held(run):
        found = faults(run)
        if repair:
            _remove(run, found)
    return found


def faults(run: Path) -> list[Fault]:
    """What is broken in a run folder and in the cache beside it; reads every file."""
    found = [*_artifacts(run), *_sealed(run / ".work"), *_sealed(run.parent / CACHE)]
    used = run / artifact.LOCK
    if used.is_file() and (what := seal.fault(used)):
        found.append(Fault(what, used))
    return found + [Fault(f"{path} was left behind by a run that was killed", path) for path in artifact.left(run)]


def _remove(run: Path, found: list[Fault]) -> None:
    artifact.sweep(run)
    for fault in found:
        if fault.remove.is_dir():
            shutil.rmtree(fault.remove)
        else:
            fault.remove.unlink(missing_ok=True)


def _artifacts(run: Path) -> Iterator[Fault]:
    """Artifacts; where the manifest itself is broken, nothing says whose the other files are, so that they stay."""
    for path in sorted(run.rglob(artifact.MANIFEST)):
        if any(part.startswith(".") for part in path.relative_to(run).parts):
            continue
        try:
            made = artifact.read(path.parent)
            what = made.damage(contents=True) if made else None
        except InputError as error:
            yield Fault(str(error), path)
        else:
            if what:
                yield Fault(what, path.parent)


def _sealed(folder: Path) -> Iterator[Fault]:
    """What lies below a folder under seals; half-written files, which have none, are nobody's fault."""
    for path in sorted(folder.rglob(f"*{seal.SUFFIX}")):
        if what := seal.fault(path):
            yield Fault(what, path)
