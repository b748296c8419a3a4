"""A pipeline file with its cards filled in, or every mistake in them at once."""

import json
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from compress import registry
from compress.config import catalogue, source
from compress.config.cards import StudentCard, TeacherCard
from compress.config.explain import explain
from compress.config.settings import Pipeline, StudentMaking
from compress.config.source import Document, KeyPath
from compress.errors import InputError, Problem, unknown
from compress.registry import Registry

Model = TypeVar("Model", bound=BaseModel)

DEFAULT_TEACHER = "bert-large"
_CROWD = 100
_SHOWN = 200
"""Mistakes that are told of one pipeline; after more nothing else of it is checked, which would take minutes."""
_TEACHER_KEYS = ("model", "train")
_OUTSIDE = (
    "`{}` leads out of the project. Put the model into it, or name the folder in the pipeline: it wins over the card's."
)
_SHAPE_KEYS = ("architecture", "start", "start_layers")
_STUDENT_KEYS = tuple(StudentMaking.model_fields)
_WHOLE: tuple[KeyPath, ...] = (
    ("model",),
    ("distill", "losses"),
    ("distill", "layer_mapping"),
    ("distill", "teachers"),
    ("distill", "phases"),
)
"""What a pipeline file takes from its card or replaces, but never mixes."""


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


@dataclass
class Draft:
    """A pipeline file with its cards filled in, and what is wrong with it so far."""

    path: Path
    document: Document
    assignments: tuple[str, ...] = ()
    cards: dict[KeyPath, Document] = field(default_factory=dict)
    """The valid cards, by the key path of the group that uses them."""
    faults: list[tuple[KeyPath, Problem]] = field(default_factory=list)
    """Mistakes, each with the key path in the pipeline that cannot be relied on."""

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.path.parent

    @property
    def students(self) -> list[str]:
        """The names of the students, valid or not."""
        return _keys(self.document.value.get("students"))

    @property
    def teachers(self) -> list[KeyPath]:
        """Where the teachers stand, the main one first, valid or not."""
        return [("teacher",), *(("teachers", name) for name in _keys(self.document.value.get("teachers")))]

    def phases(self, student: KeyPath) -> list[KeyPath]:
        """Where the phases of a student's distillation stand."""
        listed = _get(self.document.value, (*student, "distill", "phases"))
        return [
            (*student, "distill", "phases", index) for index in range(len(listed) if isinstance(listed, list) else 0)
        ]

    def writes(self, path: KeyPath) -> bool:
        """Whether what stands at a key path is the pipeline's own, by its file or `--set`, and not a card's."""
        place = self.document.places.get(path, "--set ")  # a value of `--set` has one place for all that is in it
        return place.startswith((f"{shown(self.path)}:", "--set "))

    def fault(self, path: KeyPath, what: str) -> None:
        """Note a mistake."""
        self.faults.append((path, Problem(self.document.where(path), what)))

    def part(self, model: type[Model], path: KeyPath, keys: Iterable[str] | None = None) -> Model | None:
        """What stands at a key path, or of that group only the `keys`, as settings; None if so much is not valid."""
        inside = None if keys is None else set(keys)
        for faulty, _ in self.faults:
            if faulty[: len(path)] == path and (inside is None or not inside.isdisjoint(faulty[len(path) :][:1])):
                return None
        value = _get(self.document.value, path)
        group = value if isinstance(value, dict) else {}
        return validated(model, Document({key: group[key] for key in group if inside is None or key in inside}))[0]

    def finished(self, further: Iterable[Problem] = (), rows: Iterable[Problem] = ()) -> Loaded:
        """The pipeline, if nothing is wrong with it.

        Raises: InputError with every mistake, `further` ones too, in the order of the file, its cards, and the `rows`.
        """
        settings, _ = validated(Pipeline, self.document)
        known = dict.fromkeys([*(problem for _, problem in self.faults), *further])  # one card may serve two students
        problems = [*sorted(known, key=self._order)[:_SHOWN], *rows]
        if len(known) > _SHOWN:
            problems.append(Problem(f"{shown(self.path)}:1", f"{len(known) - _SHOWN} more mistakes."))
        if settings is None or problems:
            raise InputError(problems)
        return Loaded(self.path, settings, self.document, self.assignments)

    def _order(self, problem: Problem) -> tuple[bool, str, int]:
        match = re.match(r"(?!--set )(.*?):(\d+)", problem.where)
        return (match[1] != shown(self.path), match[1], int(match[2])) if match else (False, "", 0)


def load(path: Path, assignments: Iterable[str] = ()) -> Loaded:
    """Read a pipeline file, apply `--set` assignments, fill in cards, and validate.

    Raises: InputError with every problem of the file and its cards.
    """
    return read(path, assignments).finished()


def read(path: Path, assignments: Iterable[str] = ()) -> Draft:
    """Read a pipeline file as `load` does, and note what is wrong with it and its cards.

    Raises: InputError if the file cannot be read or is not YAML.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise InputError(f"{shown(path)}: is a folder. Name the pipeline file in it.")
    given = tuple(assignments)
    draft = Draft(path, source.read(path, shown(path)), given)
    _assign(draft, [assignment for assignment in given if not _beneath(assignment)])
    written = draft.document
    if isinstance(written.value.get("teacher", {}), dict):
        draft.document = source.merge(Document({"teacher": {"use": DEFAULT_TEACHER}}), written)
    _crowded(draft, [("students",), ("teachers",), ("export",)])
    foreign = _fill_in(draft)
    _assign(draft, [assignment for assignment in given if _beneath(assignment)])
    _names(draft)
    for name in draft.students:
        student = ("students", name)
        if _get(draft.document.value, (*student, "model")) is not None:
            for key, what in _idle(_get(written.value, student)).items():
                draft.fault((*student, key), what)
        for key in sorted(_overridden(draft, student) & {*_keys(_get(written.value, (*student, "distill")))}):
            what = f"`{key}` has no effect: every phase gives its own. Leave it out, here or in one of the phases."
            draft.fault((*student, "distill", key), what)
    _crowded(draft, [("students", name, "distill", "phases") for name in draft.students])
    if len(draft.faults) > _SHOWN:
        draft.finished()
    named = {faulty for faulty, _ in draft.faults}
    for faulty, problem in validated(Pipeline, draft.document)[1].items():
        # A mistake of a card is reported as such, and a model that such a card would give is not missing.
        unread = faulty == ("teacher", "model") and _get(draft.document.value, faulty) is None
        unread = unread and ("teacher",) not in draft.cards
        if faulty not in named and not unread and not draft.document.place(faulty).startswith(foreign):
            draft.faults.append((faulty, problem))
    return draft


def validated(model: type[Model], document: Document) -> tuple[Model | None, dict[KeyPath, Problem]]:
    """A document as settings, or what is wrong with it."""
    try:
        return model.model_validate_json(json.dumps(document.value), strict=True), {}
    except ValidationError as error:
        return None, explain(error, model, document)


def load_card(model: type[Model], path: Path) -> tuple[Document, Model]:
    """Read and validate one card.

    Raises: InputError with every problem of the card.
    """
    document = source.read(path, shown(path))
    settings, problems = _card(model, path, document)
    if settings is None or problems:
        raise InputError(problems)
    return document, settings


def _card(model: type[Model], path: Path, document: Document) -> tuple[Model | None, list[Problem]]:
    settings, faults = validated(model, document)
    problems = list(faults.values())
    name = document.value.get("name", path.stem)
    if ("name",) not in faults and name != path.stem:
        problems.append(
            Problem(document.where(("name",)), f"the card's file is called `{path.stem}`. Name both the same.")
        )
    if model is StudentCard and document.value.get("model") is not None:
        problems += [Problem(document.where((key,)), what) for key, what in _idle(document.value).items()]
    return settings, problems


def _idle(student: Any) -> dict[str, str]:
    """What is written about the shape of a student that has weights of its own."""
    group = student if isinstance(student, dict) else {}
    return {
        key: f"`{key}` has no effect beside `model`, whose weights come in their own shape. Leave out one of the two."
        for key in _SHAPE_KEYS
        if group.get(key) is not None
    }


def _crowded(draft: Draft, paths: Iterable[KeyPath]) -> None:
    """See that lists and groups hold no more than a person writes: the checks of each go through all others.

    Raises: InputError naming those that do
    """
    counts = {path: len(found) for path in paths if isinstance(found := _get(draft.document.value, path), dict | list)}
    most = f"one pipeline has at most {_CROWD}. Write several files."
    crowded = [
        Problem(draft.document.where(path), f"{n} are too many; {most}") for path, n in counts.items() if n > _CROWD
    ]
    if crowded:
        raise InputError(crowded)


def _overridden(draft: Draft, student: KeyPath) -> set[str]:
    """The keys of a student's `distill` that each of its phases gives itself."""
    phases = [set(_keys(_get(draft.document.value, path))) for path in draft.phases(student)]
    return set.intersection(*phases) if phases else set()


def _beneath(assignment: str) -> bool:
    """Whether `--set` changes a part of what is taken from a card as a whole: it can only after that."""
    path = tuple(assignment.partition("=")[0].strip().split("."))
    inner = path[1:] if path[0] == "teacher" else path[2:]
    return path[0] in ("teacher", "teachers", "students") and any(
        inner[: len(whole)] == whole != inner for whole in _WHOLE
    )


def _assign(draft: Draft, assignments: Iterable[str]) -> None:
    for assignment in assignments:
        try:
            draft.document = source.override(draft.document, [assignment])
        except InputError as error:
            draft.faults += [((), problem) for problem in error.problems]


def _fill_in(draft: Draft) -> tuple[str, ...]:
    """Lay the file over the cards it uses; returns how the places of values from faulty cards start."""
    faulty: list[str] = []
    uses: list[tuple[KeyPath, catalogue.Kind, type[BaseModel], tuple[str, ...]]] = [
        (path, "teachers", TeacherCard, _TEACHER_KEYS) for path in draft.teachers
    ]
    for name in draft.students:
        uses.append((("students", name), "students", StudentCard, _STUDENT_KEYS))
    for path, kind, model, keys in uses:
        name = _get(draft.document.value, (*path, "use"))
        if not isinstance(name, str):
            continue
        try:
            file = catalogue.card(kind, name, draft.root, draft.document.where((*path, "use")))
            card = source.read(file, shown(file))
            problems = _card(model, file, card)[1]
        except InputError as error:
            draft.faults += [((*path, "use"), problem) for problem in error.problems]
            continue
        if problems:
            faulty.append(f"{shown(file)}:")
            draft.faults += [((*path, "use"), problem) for problem in problems]
        else:
            draft.cards[path] = card
        kept = {key: card.value[key] for key in keys if key in card.value}
        own = _get(draft.document.value, (*path, "model"))
        if own is None and _leads_out(kept.get("model"), file.parent, draft.root):
            place = card.where(("model", "folder"))
            draft.faults.append(((*path, "use"), Problem(place, _OUTSIDE.format(kept["model"]["folder"]))))
        _rebase(kept.get("model"), file.parent, draft.root)
        below = source.prefixed(Document(kept, {place: at for place, at in card.places.items() if place}), path)
        draft.document = source.merge(below, draft.document, [(*path, *whole) for whole in _WHOLE])
    return tuple(faulty)


def _leads_out(model: Any, card_folder: Path, root: Path) -> bool:
    """Whether a card, which may come from elsewhere, names a folder that is not the project's."""
    folder = model.get("folder") if isinstance(model, dict) else None
    return isinstance(folder, str) and not (card_folder / folder).resolve().is_relative_to(root.resolve())


def _rebase(model: Any, card_folder: Path, root: Path) -> None:
    """A folder named in a card is relative to the card, in the pipeline to the project."""
    if isinstance(model, dict) and isinstance(model.get("folder"), str):
        folder = (card_folder / model["folder"]).resolve()
        model["folder"] = os.path.relpath(folder, root.resolve())


def _names(draft: Draft) -> None:
    """Names that no file answers to, found in the raw values so that they are reported beside other mistakes."""
    value = draft.document.value

    def known(registered: Registry, path: KeyPath, name: Any) -> None:
        if isinstance(name, str) and name not in registered.names():
            draft.fault(path, unknown(registered.kind, name, registered.names()))

    known(registry.TASKS, ("task", "type"), _get(value, ("task", "type")))
    known(registry.METRICS, ("task", "metric"), _get(value, ("task", "metric")))
    for teacher in draft.teachers[1:]:
        known(registry.TEACHERS, (*teacher, "call"), _get(value, (*teacher, "call")))
    for student in draft.students:
        below = ("students", student)
        for group in ((*below, "distill"), *draft.phases(below)):
            for loss in _keys(_get(value, (*group, "losses"))):
                known(registry.LOSSES, (*group, "losses", loss), loss)
            mapping = _get(value, (*group, "layer_mapping"))
            known(registry.MAPPINGS, (*group, "layer_mapping"), mapping)
            if mapping == "explicit":
                needed = "`explicit` needs the layers: write the list itself, such as `[1, 3, 5]`."
                draft.fault((*group, "layer_mapping"), needed)
            teachers = [str(path[-1]) for path in draft.teachers]
            for name in _keys(_get(value, (*group, "teachers"))):
                if name not in teachers:
                    what = f"{unknown('teacher', name, teachers)} Further ones are named in the pipeline's `teachers`."
                    draft.fault((*group, "teachers", name), what)
        known(registry.IMPORTANCE, (*below, "prune", "importance"), _get(value, (*below, "prune", "importance")))
    built: list[tuple[Any, Any]] = []
    exports = value.get("export")
    for index, _ in enumerate(exports if isinstance(exports, list) else ()):
        target, recipe = (_get(value, ("export", index, key)) for key in ("target", "recipe"))
        known(registry.TARGETS, ("export", index, "target"), target)
        known(registry.RECIPES, ("export", index, "recipe"), recipe)
        if target is not None and (target, recipe) in built:
            draft.fault(("export", index, "target"), "an entry above builds the same target: join their precisions.")
        built.append((target, recipe))


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


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
