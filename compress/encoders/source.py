"""Where pretrained weights are: a folder, an installed package or the Hub. Importing this module imports no torch."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from compress import files
from compress.config.settings import Model
from compress.errors import InputError, NotAvailable

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PATTERNS = (
    "config.json",
    "model*.safetensors",
    INDEX,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
)
"""The files of a model folder that are read; nothing else is downloaded."""

CONVERT = (
    "import torch, safetensors.torch as s; "
    "w = torch.load('pytorch_model.bin', map_location='cpu', weights_only=True); "
    "s.save_file({k: v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', {'format': 'pt'})"
)
"""Python that turns a pickle checkpoint of the current folder into a safetensors file."""


@dataclass(frozen=True)
class Located:
    """Pretrained weights that were found: a folder on this machine (`path`), or else a Hub id to be fetched."""

    path: Path | None
    hub: str | None = None
    revision: str | None = None
    sha256: str | None = None
    missing: str = field(default="", compare=False)
    """Where else it was looked for in vain."""

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{self.hub}@{self.revision or 'main'}"


def locate(model: Model, root: Path) -> Located:
    """Find a model: its folder (relative to `root`), else its installed package, else its Hub id (not looked up here).

    Raises: InputError if what is found is not a safetensors model folder, has other weights than the pinned SHA-256, or
    nothing is there; NotAvailable if it is only missing a package that can be installed.
    """
    if model.scratch is not None:
        raise InputError("a model that starts from scratch has no weights to be found.")
    missing: list[str] = []
    path = _folder(model.folder, root, missing) if model.folder else None
    installed = True
    if path is None and model.package:
        installed = _spec_folders(model.package) is not None
        path = _package(model.package, missing)
    if path is not None:
        weights(path)
        _check(path, model.sha256)
        return Located(path, sha256=model.sha256)
    if model.hub:
        return Located(None, model.hub, model.revision, model.sha256, "; ".join(missing))
    kind = InputError if installed else NotAvailable
    raise kind(f"the model's weights are not here: {'; '.join(missing)}.")


def fetch(located: Located) -> Path:
    """The folder of a located model, downloaded (or taken from the Hub's cache) if it is on the Hub.

    Only config, tokenizer and safetensors files are fetched. `HF_HUB_OFFLINE=1` keeps off the network.
    Raises: InputError if the Hub has no such model, revision or safetensors, or other weights than the pinned SHA-256;
    NotAvailable if the Hub cannot be reached or asks for a login.
    """
    if located.path is not None:
        return located.path
    try:
        path = _download(str(located.hub), located.revision)
    except NotAvailable as error:
        raise NotAvailable(f"{error} Besides, {located.missing}." if located.missing else str(error)) from error
    if located.revision is None and not any((path / name).is_file() for name in (WEIGHTS, INDEX)):
        path = _download(str(located.hub), _converted(str(located.hub)))
    weights(path)
    _check(path, located.sha256)
    return path


def digest(located: Located) -> str:
    """What a fingerprint says of a model: the SHA-256 of its files' content, or `id@revision` on the Hub."""
    if located.path is None:
        return str(located)
    found = sorted({file for pattern in PATTERNS for file in located.path.glob(pattern)})
    return files.text_digest("".join(f"{file.name} {_sha256(file)}\n" for file in found))


def weights(folder: Path) -> Path:
    """The safetensors file of a model folder, or the index of several.

    Raises: InputError if the folder is not a model's, or holds pickled weights only.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder. A model folder holds config.json and {WEIGHTS}.")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: has no config.json. A model folder holds config.json and {WEIGHTS}.")
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    if (folder / INDEX).is_file():
        _check_index(folder / INDEX)
        return folder / INDEX
    pickled = sorted(file.name for file in folder.iterdir() if file.suffix in {".bin", ".pt", ".pth", ".ckpt"})
    if pickled:
        raise InputError(
            f"{folder}: its weights are pickled ({', '.join(pickled)}), and a pickle can run code. Only {WEIGHTS} is read. "
            f'To convert a pytorch_model.bin, run in that folder: python -c "{CONVERT}"'
        )
    raise InputError(f"{folder}: has no {WEIGHTS}.")


def _check_index(index: Path) -> None:
    """See that an index names safetensors files beside it and nothing else.

    Raises: InputError if not
    """
    told = files.read_json(index)
    parts = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(parts, dict) or not parts:
        raise InputError(f"{index}: has no `weight_map`, which says the file of each weight.")
    for name in set(map(str, parts.values())):
        if Path(name).name != name or not name.endswith(".safetensors") or not (index.parent / name).is_file():
            raise InputError(f"{index}: {name!r} is no safetensors file beside it.")


def _folder(folder: str, root: Path, missing: list[str]) -> Path | None:
    try:
        path = (root / Path(folder).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a user who is not there, a NUL
        raise InputError(f"`folder: {folder}`: {error}.") from error
    if path.is_dir():
        return path
    missing.append(f"there is no folder {path}")
    return None


def _package(package: str, missing: list[str]) -> Path | None:
    name, *inner = PurePosixPath(package).parts
    folders = _spec_folders(package)
    if folders is None:
        missing.append(f"the package {name} is not installed (`pip install {name.replace('_', '-')}`)")
        return None
    for folder in folders:
        path = files.inside(folder, "/".join(inner))
        if path.is_dir():
            return path
    looked = ", ".join(str(folder) for folder in folders) or "a single file"
    missing.append(f"the installed package {name} ({looked}) has no folder {'/'.join(inner)}")
    return None


def _spec_folders(package: str) -> list[Path] | None:
    """The folders of a package that is not imported for it, or None if it is not installed."""
    name, *inner = PurePosixPath(package).parts or ("",)
    if not name.isidentifier() or ".." in inner or "\\" in package:
        raise InputError(f"`package: {package}` is not a package's name and a folder inside, such as `my_models/bert`.")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    return None if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def _download(hub: str, revision: str | None) -> Path:
    from huggingface_hub import errors, snapshot_download

    name = f"{hub}@{revision}" if revision else hub
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=list(PATTERNS)))
    except errors.GatedRepoError as error:
        raise NotAvailable(
            f"{name}: the Hub gives it only to accounts that were let in. `hf auth login` first."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(f"{name}: the Hub has no such model, or it is private (`hf auth login`).") from error
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{name}: the Hub has the model, but not this revision.") from error
    except errors.HFValidationError as error:
        raise InputError(f"{name}: not a Hub id, which looks like `google-bert/bert-base-uncased`.") from error
    except (OSError, errors.EntryNotFoundError) as error:
        raise NotAvailable(
            f"{name}: not in the Hub's cache, and the Hub cannot be reached or is switched off (HF_HUB_OFFLINE). "
            f"Go online once, or give a `folder` or an installed `package`. ({type(error).__name__})"
        ) from error


def _converted(hub: str) -> str:
    """The revision at which the Hub's own conversion bot offers the weights of a repository as safetensors.

    Raises: InputError if it does not; NotAvailable if the Hub cannot be asked.
    """
    from huggingface_hub import HfApi

    try:
        offers = HfApi().get_repo_discussions(
            hub, author="SFconvertbot", discussion_type="pull_request", discussion_status="open"
        )
        number = next((offer.num for offer in offers), None)
    except OSError as error:
        raise NotAvailable(f"{hub}: has no {WEIGHTS}, and the Hub cannot be asked for a converted one.") from error
    if number is None:
        raise InputError(
            f"{hub}: has no {WEIGHTS}, only pickled weights, which can run code. Give a converted `folder`."
        )
    return f"refs/pr/{number}"


def _check(folder: Path, expected: str | None) -> None:
    if expected is None:
        return
    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError(f"{folder}: a SHA-256 is pinned, but the weights are split over several files. Pin none.")
    seen = _sha256(file)
    if seen != expected:
        raise InputError(f"{file}: other weights than the pinned ones. SHA-256 seen: {seen}, expected: {expected}.")


def _sha256(file: Path) -> str:
    state = file.stat()
    return _sha256_of(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of(file: Path, _size: int, _changed: int) -> str:
    """Hashed once as long as the file is not touched: large weights are asked for by every student."""
    return files.sha256(file)
