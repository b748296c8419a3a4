"""A finished result on disk: a folder with a manifest, there whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from compress import interruption
from compress.errors import CompressError, InputError
from compress.files import flush, read_json, text_digest
from compress.store import seal

MANIFEST = "manifest.json"
LOCK = "lock.json"
"""In a run folder: what the run used."""
_VERSION = 2
_DRAFT, _OLD = ".draft-", ".old-"


@dataclass(frozen=True)
class Manifest:
    """What an artifact is made of and from."""

    stage: str
    """Name of the step that made it, such as `distill/tiny`."""
    fingerprint: str
    """Digest of `parts`."""
    parts: Mapping[str, str]
    """What the result depends on; see `fingerprint`."""
    files: Mapping[str, Mapping[str, Any]]
    """Size in bytes and SHA-256 of each file, by its name inside the folder."""
    seconds: float
    """How long it took to make, in the sitting that finished it."""
    manifest_version: int = _VERSION

    @property
    def digest(self) -> str:
        """One digest of the content; what made it does not count."""
        return text_digest("".join(f"{name}\0{self.files[name]['sha256']}\n" for name in sorted(self.files)))


@dataclass(frozen=True)
class Artifact:
    """A folder whose manifest has been read."""

    folder: Path
    manifest: Manifest

    def damage(self, *, contents: bool) -> str | None:
        """What is wrong with the files: missing or of another size; with `contents`, of another digest. None if all is well."""
        return seal.damage(self.folder, self.manifest.files, contents=contents)


def read(folder: Path) -> Artifact | None:
    """The artifact in a folder; None if there is none.

    Raises: InputError if the manifest is damaged or of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        version = read_json(path)["manifest_version"]
        if version != _VERSION:
            raise InputError(f"{path}: manifest version {version}, this program reads {_VERSION}.")
        manifest = Manifest(**seal.content(path))
        texts = (manifest.stage, manifest.fingerprint, *manifest.parts.values())
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("parts are texts")
        if not isinstance(manifest.seconds, int | float):
            raise TypeError("seconds are a number")
        if not all(isinstance(of["size"], int) and isinstance(of["sha256"], str) for of in manifest.files.values()):
            raise TypeError("files have a size and a digest")
        return Artifact(folder, manifest)
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: not a manifest of this program.") from error


@dataclass
class Draft:
    """A folder being filled; `seconds` is set by whoever fills it."""

    folder: Path
    seconds: float = field(default=0.0)


@contextmanager
def create(folder: Path, stage: str, parts: Mapping[str, str], fingerprint: str) -> Iterator[Draft]:
    """Fill a draft folder; it becomes the artifact, in place of an older one, when the block ends without an error."""
    draft = Draft(folder.parent / f"{_DRAFT}{folder.name}-{uuid.uuid4().hex[:8]}")
    draft.folder.mkdir(parents=True)
    try:
        yield draft
        with interruption.deferred():  # what is done is kept
            _seal(draft, folder, stage, parts, fingerprint)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)


def _seal(draft: Draft, home: Path, stage: str, parts: Mapping[str, str], fingerprint: str) -> None:
    """Write the manifest of what was made, and put it in its place."""
    files = seal.facts(draft.folder, seal.below(draft.folder))
    if not files:
        raise CompressError(f"{stage} made no files.")
    seal.write(
        draft.folder / MANIFEST, asdict(Manifest(stage, fingerprint, dict(parts), files, round(draft.seconds, 3)))
    )
    _replace(draft.folder, home)


def sweep(run: Path) -> None:
    """Remove what killed runs left behind, and put back what they had moved aside."""
    for path in list(run.rglob(f"{_OLD}*")):
        home = path.with_name(path.name[len(_OLD) :].rsplit("-", 1)[0])
        if home.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.rename(home)
    for path in left(run):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def left(run: Path) -> list[Path]:
    """Drafts, artifacts moved aside and half-written locks, as killed runs leave them behind."""
    return sorted([*run.rglob(f"{_DRAFT}*"), *run.rglob(f"{_OLD}*"), *run.glob(f".{LOCK}.*")])


def _replace(new: Path, home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    old = home.parent / f"{_OLD}{home.name}-{uuid.uuid4().hex[:8]}"
    if home.exists():
        home.rename(old)
    new.rename(home)
    flush(home.parent)
    shutil.rmtree(old, ignore_errors=True)
