"""Every mistake of a pipeline, its cards and its rows, at once: what the file says, and what that comes to."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from compress import registry, targets
from compress.config import pipeline
from compress.config.pipeline import Draft, Loaded
from compress.config.settings import (
    FurtherTeacher,
    Measure,
    Reading,
    Target,
    Task,
)
from compress.data import answers, sources
from compress.encoders import source
from compress.errors import InputError, NotAvailable, Problem
from compress.run import exports, gate, outlines, shapes, transfer, unread, vocabulary
from compress.run.steps import origins

_ROWS = tuple(Reading.model_fields)
"""The keys of `task` that rows are read by."""


def load(path: Path, assignments: Iterable[str] = ()) -> Loaded:
    """Read a pipeline and check everything that can be checked before anything runs.

    Where the file is not valid, the parts of it that are valid by themselves are checked all the same.
    Raises: InputError with every problem found; NotAvailable if only a package of weights is not installed.
    """
    draft = pipeline.read(path, assignments)
    read = draft.part(Reading, ("task",), _ROWS)
    measured = draft.part(Measure, ("measure",), ("columns",)) or Measure()
    rows = [] if read is None else sources.check(read, draft.root, measured.columns)
    if read is not None and not rows:
        rows = list(_answers(draft, read))
    loaded = draft.finished(
        [
            *_task(draft),
            *_rows(draft, read),
            *shapes.problems(draft),
            *transfer.problems(draft),
            *vocabulary.problems(draft),
            *unread.problems(draft),
            *exports.problems(draft),
            *_measure(draft),
            *_columns(draft, read, measured),
            *gate.problems(draft),
            *_targets(draft),
        ],
        rows,
    )
    for place, model in {**outlines.models(draft), **transfer.models(draft)}.items():
        if model.scratch is None:
            try:
                source.locate(model, draft.root)
            except NotAvailable as error:
                raise NotAvailable(f"{draft.document.where(place)}: {error}") from error
    return loaded


def notes(loaded: Loaded) -> Iterator[str]:
    """What is no mistake but should be known: rows that are judged and were also trained on, teachers nobody asks."""
    task, read = (
        loaded.settings.task,
        {name for one in loaded.settings.students.values() for name in one.distill.advisers},
    )
    for name in loaded.settings.teachers:
        if name not in read:
            yield f"Note: teachers.{name}: no student's `distill.teachers` names it, so nothing is asked of it."
    for name, student in loaded.settings.students.items():
        if student.start_layers == "measured" and task.data.split("test") == task.data.split("validation"):
            yield f"Note: students.{name}.start_layers: measured on the validation rows, which are the test rows too."
    for split, count in sources.overlaps(task, loaded.root).items():
        if count:
            yield f"Note: {task.data.split(split)}: {_with_texts(count)} of the training rows."
    if task.data.unlabelled is not None:
        for split, count in sources.overlaps(task, loaded.root, "unlabelled").items():
            if count:
                yield f"Note: {task.data.split(split)}: {_with_texts(count)} of the unlabelled rows, which students learn from."
    used = {origin for student in loaded.settings.students.values() for origin in origins(loaded, student)}
    for key, origin, there in (
        ("task.data.unlabelled", "unlabelled", task.data.unlabelled),
        ("augment", "augmented", loaded.settings.augment),
    ):
        if there is not None and origin not in used:
            yield f"Note: {key}: no student's `distill.data` lists `{origin}`, so it is not used."
    yield from gate.notes(loaded)


def _with_texts(count: int) -> str:
    return "1 row has a text" if count == 1 else f"{count:,} rows have texts"


def available(loaded: Loaded) -> None:
    """Check that every target of the pipeline can be built here, by the recipes asked for.

    Raises: NotAvailable with the reason for each that cannot.
    """
    reasons = []
    for index, export in enumerate(loaded.settings.export):
        for reason in _lacking(export.target, export.precision, export.recipe):
            reasons.append(f"{loaded.document.where(('export', index, 'target'))}: {export.target}: {reason}")
    for name, student in loaded.settings.students.items():
        on = student.prune.target.on if student.prune is not None and student.prune.target is not None else None
        if on is not None:
            timed = targets.named(on)
            for reason in _lacking(timed.target, [timed.precision], timed.recipe):
                reasons.append(f"{loaded.document.where(('students', name, 'prune', 'target', 'on'))}: {on}: {reason}")
    if reasons:
        raise NotAvailable("\n".join(reasons))


def _lacking(name: str, precisions: Iterable[str], asked: str | None) -> Iterator[str]:
    """Why a target, or a recipe of its precisions, cannot be used here."""
    target = registry.TARGETS.load(name)
    if reason := target.unavailable():
        yield reason
    for recipe in dict.fromkeys(targets.chosen(target, precision, asked) for precision in precisions):
        packages = () if recipe is None else registry.RECIPES.load(recipe).packages
        if missing := " ".join(package for package in packages if find_spec(package) is None):
            yield f"the recipe `{recipe}` needs what is not installed: {missing}. Run `pip install {missing}`."


def _task(draft: Draft) -> Iterator[Problem]:
    where = draft.document.where
    task = draft.part(Task, ("task",), ("type", "data", "metric"))
    allowed = () if task is None else registry.TASKS.load(task.type).metrics
    if task is not None and task.metric not in allowed:
        yield Problem(
            where(("task", "metric")),
            f"`{task.metric}` does not measure {task.type}. Give one of: {', '.join(sorted(allowed))}.",
        )
    task = draft.part(Task, ("task",), ("type", "data", "text_pair"))
    if task is not None and registry.TASKS.load(task.type).pairs != (task.text_pair is not None):
        yield Problem(
            where(("task", "text_pair")),
            f"is missing: a row of {task.type} has two texts. Name the column of the second."
            if task.text_pair is None
            else f"`{task.text_pair}` is not read: a row of {task.type} has one text. Leave it out.",
        )


def _rows(draft: Draft, task: Reading | None) -> Iterator[Problem]:
    if task is None:
        return
    where = draft.document.where
    columns: dict[str, str] = {}
    for key, column in (("text", task.text), ("text_pair", task.text_pair), ("label", task.label)):
        if column in columns:
            yield Problem(
                where(("task", key)), f"`{column}` is the column of `{columns[column]}` too. Name another one."
            )
        elif column is not None:
            columns[column] = key
    for index, label in enumerate(task.labels or ()):
        if label in (task.labels or ())[:index]:
            yield Problem(where(("task", "labels", index)), f"`{label}` is listed twice. List each label once.")
    if task.labels is not None and len(task.labels) < 2:
        yield Problem(
            where(("task", "labels")), f"{len(task.labels)} is too few. A classifier needs two labels or more."
        )


def _answers(draft: Draft, task: Reading) -> Iterator[Problem]:
    """What is wrong with files of teachers' answers; those on rows of the Hub are left to the run."""
    given = [draft.part(FurtherTeacher, path) for path in draft.teachers[1:]]
    files = dict.fromkeys(one.predictions for one in given if one is not None and one.predictions is not None)
    if not files or task.data.hub is not None:
        return
    labels, count = sources.label_names(task, draft.root), len(sources.load(task, draft.root, "train"))
    for file in files:
        yield from answers.check(file, draft.root, labels, count)


def _measure(draft: Draft) -> Iterator[Problem]:
    task, measure = draft.part(Task, ("task",)), draft.part(Measure, ("measure",))
    if task is None or measure is None:
        return
    for index, tokens in enumerate(measure.sequence):
        if tokens > task.max_length:
            yield Problem(
                draft.document.where(("measure", "sequence", index)),
                f"{tokens} is above task.max_length, {task.max_length}: no row is that long. "
                f"Give at most {task.max_length}.",
            )


def _columns(draft: Draft, task: Reading | None, measure: Measure) -> Iterator[Problem]:
    """Further columns of the test rows that part them by nothing new."""
    texts = {task.text: "text", task.text_pair: "text_pair"} if task is not None else {}
    for index, column in enumerate(measure.columns):
        where = draft.document.where(("measure", "columns", index))
        if column in measure.columns[:index]:
            yield Problem(where, f"`{column}` is listed twice. List each column once.")
        elif column in ("label", "length"):
            yield Problem(
                where,
                f"`{column}` parts the rows in any case, by their own {column}. Leave it out, or rename the column.",
            )
        elif column in texts:
            yield Problem(where, f"`{column}` is the column of `task.{texts[column]}`. Name one that parts the rows.")


def _targets(draft: Draft) -> Iterator[Problem]:
    """What a cut is to reach, where it is measured on no export there is, or on rows that are too long."""
    task = draft.part(Task, ("task",))
    for name in draft.students:
        path = ("students", name, "prune", "target")
        target = draft.part(Target, path)
        if target is None:
            continue
        if target.on is not None:
            try:
                export = targets.named(target.on)
                if export.recipe is not None:
                    registry.RECIPES.load(export.recipe)
            except InputError as error:
                yield Problem(draft.document.where((*path, "on")), str(error))
        if task is not None and target.sequence is not None and target.sequence > task.max_length:
            yield Problem(
                draft.document.where((*path, "sequence")),
                f"{target.sequence} is above task.max_length, {task.max_length}: no row is that long. "
                f"Give at most {task.max_length}.",
            )
