"""What an exported folder says of itself: `export.json` and `preprocess.json`, which may come from anywhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compress.errors import InputError, Problem, unknown
from compress.files import DESCRIPTION, PREPROCESS, inside, read_json
from compress.registry import TARGETS

_Count = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(ge=1)]


class _Told(BaseModel):
    """What is read of it; further keys are left to who wrote them."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, defer_build=True)


class _Run(_Told):
    file: Annotated[str, Field(min_length=1)]
    settings: dict[str, Any]
    batch: _Positive


class _File(_Run):
    precision: str
    recipe: str | None
    asked: bool
    size_bytes: _Count


class _Export(_Told):
    target: str
    parameters: _Count
    files: Annotated[list[_File], Field(min_length=1)]


class _Preprocess(_Run):
    labels: Annotated[list[str], Field(min_length=1)]
    max_length: _Positive
    truncation: Literal["head", "tail", "head+tail"]
    texts: Literal[1, 2]
    inputs: Annotated[list[str], Field(min_length=1)]


def read_export(folder: Path) -> dict[str, Any]:
    """The content of an exported folder's `export.json`.

    Raises: InputError naming the file and every key that is not as this program writes it, or a file outside the folder
    """
    path = folder / DESCRIPTION
    told = _checked(path, _Export)
    if told["target"] not in TARGETS.names():
        raise InputError(Problem(f"{path}: target", unknown("target", told["target"], TARGETS.names())))
    for index, file in enumerate(told["files"]):
        _within(folder, file["file"], f"{path}: files.{index}.file")
    return told


def read_preprocess(folder: Path) -> dict[str, Any]:
    """The content of an exported folder's `preprocess.json`.

    Raises: InputError as `read_export`
    """
    path = folder / PREPROCESS
    told = _checked(path, _Preprocess)
    _within(folder, told["file"], f"{path}: file")
    return told


def _checked(path: Path, model: type[BaseModel]) -> dict[str, Any]:
    value = read_json(path)
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise InputError(
            [
                Problem(
                    ": ".join(filter(None, [str(path), ".".join(map(str, fault["loc"]))])),
                    f"{fault['msg']}. Export the model again.",
                )
                for fault in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from error
    return dict(value)


def _within(folder: Path, name: str, where: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != name or name == "." or "\\" in name:
        raise InputError(Problem(where, f"{name!r} is no name of a file inside of {folder}."))
    inside(folder, name)
