"""A pipeline file with its cards filled in, or every mistake in them at once."""

import json
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from compress import registry
from compress.config import catalogue, source
from compress.config.cards import StudentCard, TeacherCard
from compress.config.explain import explain
from compress.config.settings import Pipeline
from compress.config.source import Document, KeyPath
from compress.errors import InputError, Problem, unknown
from compress.registry import Registry

Model = TypeVar("Model", bound=BaseModel)

DEFAULT_TEACHER = "bert-large"
_TEACHER_KEYS = ("model", "train")
_STUDENT_KEYS = ("model", "architecture", "start", "start_layers", "distill")


@dataclass(frozen=True)
class Loaded:
    """A valid pipeline with the places its values were written at."""

    path: Path
    settings: Pipeline
    document: Document
    assignments: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The project's folder, which the paths in the file are relative to."""
        return self.path.parent

    @property
    def command(self) -> str:
        """The command that runs it again, from the project's folder."""
        return shlex.join(
            ["compress", "run", self.path.name, *(part for given in self.assignments for part in ("--set", given))]
        )

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root / "runs" / self.settings.name


def load(path: Path, assignments: Iterable[str] = ()) -> Loaded:
    """Read a pipeline file, apply `--set` assignments, fill in cards, and validate.

    Raises: InputError with every problem of the file and its cards.
    """
    path = Path(path).absolute()
    shown = _shown(path)
    if path.is_dir():
        raise InputError(f"{shown}: is a folder. Name the pipeline file in it.")
    given = tuple(assignments)
    written = source.override(source.read(path, shown), given)
    document, problems = _with_cards(written, path.parent)
    problems += _names(document)
    settings, faults = validated(Pipeline, document)
    known = {problem.where for problem in problems}
    problems += [fault for fault in faults if fault.where not in known | _unfilled(document)]
    if settings is None or problems:
        raise InputError(sorted(problems, key=_line))
    return Loaded(path, settings, document, given)


def _unfilled(document: Document) -> set[str]:
    """Where a teacher's model would stand if its card could be read: that it is missing is no second mistake."""
    path = ("teacher", "model")
    return (
        {document.where(path)}
        if _get(document.value, ("teacher", "use")) and _get(document.value, path) is None
        else set()
    )


def _line(problem: Problem) -> tuple[str, int]:
    """The order of the file, for sorting."""
    match = re.match(r"(.*?):(\d+)", problem.where)
    return (match[1], int(match[2])) if match else ("", 0)


def validated(model: type[Model], document: Document) -> tuple[Model | None, list[Problem]]:
    """A document as settings, or what is wrong with it."""
    try:
        return model.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as error:
        return None, explain(error, model, document)


def load_card(model: type[Model], path: Path) -> tuple[Document, Model]:
    """Read and validate one card.

    Raises: InputError with every problem of the card.
    """
    document = source.read(path, _shown(path))
    settings, problems = validated(model, document)
    if settings is not None and getattr(settings, "name", path.stem) != path.stem:
        problems.append(
            Problem(document.where(("name",)), f"the card's file is called `{path.stem}`. Name both the same.")
        )
    if settings is None or problems:
        raise InputError(problems)
    return document, settings


def _with_cards(document: Document, root: Path) -> tuple[Document, list[Problem]]:
    problems: list[Problem] = []
    if isinstance(document.value.get("teacher", {}), dict):
        default = Document({"teacher": {"use": DEFAULT_TEACHER}})
        document = source.merge(default, document)
    uses: list[tuple[KeyPath, catalogue.Kind, type[BaseModel], tuple[str, ...]]] = [
        (("teacher",), "teachers", TeacherCard, _TEACHER_KEYS)
    ]
    students = document.value.get("students")
    for name in students if isinstance(students, dict) else ():
        uses.append((("students", name), "students", StudentCard, _STUDENT_KEYS))
    for path, kind, model, keys in uses:
        name = _get(document.value, (*path, "use"))
        if not isinstance(name, str):
            continue
        try:
            file = catalogue.card(kind, name, root, document.where((*path, "use")))
            card, _ = load_card(model, file)
        except InputError as error:
            problems += error.problems
            continue
        kept = {key: card.value[key] for key in keys if key in card.value}
        _rebase(kept.get("model"), file.parent, root)
        below = source.prefixed(Document(kept, {place: at for place, at in card.places.items() if place}), path)
        whole = [(*path, "model"), (*path, "distill", "losses"), (*path, "distill", "layer_mapping")]
        document = source.merge(below, document, whole)
    return document, problems


def _rebase(model: Any, card_folder: Path, root: Path) -> None:
    """A folder named in a card is relative to the card, in the pipeline to the project."""
    if isinstance(model, dict) and isinstance(model.get("folder"), str):
        folder = (card_folder / model["folder"]).resolve()
        model["folder"] = os.path.relpath(folder, root.resolve())


def _names(document: Document) -> list[Problem]:
    """Names that no file answers to, found in the raw values so that they are reported beside other mistakes."""
    problems: list[Problem] = []

    def known(registered: Registry, path: KeyPath, name: Any) -> None:
        if isinstance(name, str) and name not in registered.names():
            problems.append(Problem(document.where(path), unknown(registered.kind, name, registered.names())))

    value = document.value
    known(registry.METRICS, ("task", "metric"), _get(value, ("task", "metric")))
    students = value.get("students")
    for student in students if isinstance(students, dict) else ():
        below = ("students", student)
        for loss in _keys(_get(value, (*below, "distill", "losses"))):
            known(registry.LOSSES, (*below, "distill", "losses", loss), loss)
        mapping = _get(value, (*below, "distill", "layer_mapping"))
        known(registry.MAPPINGS, (*below, "distill", "layer_mapping"), mapping)
        if mapping == "explicit":
            where = document.where((*below, "distill", "layer_mapping"))
            problems.append(Problem(where, "`explicit` needs the layers: write the list itself, such as `[1, 3, 5]`."))
        known(registry.IMPORTANCE, (*below, "prune", "importance"), _get(value, (*below, "prune", "importance")))
    exports = value.get("export")
    for index, _ in enumerate(exports if isinstance(exports, list) else ()):
        known(registry.TARGETS, ("export", index, "target"), _get(value, ("export", index, "target")))
        known(registry.RECIPES, ("export", index, "recipe"), _get(value, ("export", index, "recipe")))
    return problems


def _keys(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _get(value: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def _shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
