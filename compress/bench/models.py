"""What can be timed: exported files and folders, checkpoints, ONNX files of any maker; which target runs each, and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compress.errors import InputError
from compress.files import DESCRIPTION
from compress.store.described import read_export

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEPTH = 3
"""How far above a file its folder's description is looked for."""

_PLAIN = {".onnx": "onnxruntime", ".ort": "onnxruntime-mobile"}
"""What runs a file that no folder describes, with the engine's defaults."""


class Model(NamedTuple):
    """A model that a target opens."""

    file: Path
    target: str
    settings: Mapping[str, Any]
    """What opening it needs."""
    precision: str | None
    """None where nothing tells."""
    size_bytes: int


def find(path: Path) -> list[Model]:
    """The models that a path means: all of an exported folder, one of its files, a checkpoint folder, a file by itself.

    Raises: InputError if it means none.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder.")
    if (path / DESCRIPTION).is_file():
        return _described(path)
    for folder in path.absolute().parents[:_DEPTH]:
        if (folder / DESCRIPTION).is_file():
            same = [model for model in _described(folder) if model.file.resolve() == path.resolve()]
            if same:
                return [model._replace(file=path) for model in same]
    if (path / "config.json").is_file() and (path / "model.safetensors").is_file():
        return [Model(path, "pytorch", {}, "fp32", (path / "model.safetensors").stat().st_size)]
    if path.is_file() and path.suffix in _PLAIN:
        parts = [path, *(path.with_name(f"{path.name}{end}") for end in ("_data", ".data"))]
        size = sum(part.stat().st_size for part in parts if part.is_file())
        return [Model(path, _PLAIN[path.suffix], {}, None, size)]
    raise InputError(
        f"{path}: no model that can be timed. Give an exported folder ({DESCRIPTION} is in it) or one of its files, a "
        "checkpoint folder, or an .onnx or .ort file."
    )


def _described(folder: Path) -> list[Model]:
    """The models of an exported folder, in their order."""
    told = read_export(folder)
    return [
        Model(folder / one["file"], told["target"], one["settings"], one["precision"], one["size_bytes"])
        for one in told["files"]
    ]
