"""What a valid pipeline file may still get wrong: rows, names of exports, precisions a target does not know."""

from collections.abc import Iterator

from compress import registry
from compress.config.pipeline import Loaded
from compress.config.settings import Export, Model
from compress.config.source import KeyPath
from compress.data import sources
from compress.encoders import source
from compress.errors import InputError, NotAvailable, Problem, unknown
from compress.report import record


def check(loaded: Loaded) -> None:
    """Check everything that can be checked before anything runs.

    Raises: InputError with every problem found.
    """
    problems = [*_task(loaded), *_weights(loaded), *_exports(loaded), *_measure(loaded), *_gate(loaded)]
    problems += sources.check(loaded.settings.task, loaded.root)
    if problems:
        raise InputError(problems)


def available(loaded: Loaded) -> None:
    """Check that every target of the pipeline can be built here.

    Raises: NotAvailable with the reason for each that cannot.
    """
    reasons = []
    for index, export in enumerate(loaded.settings.export):
        reason = registry.TARGETS.load(export.target).unavailable()
        if reason:
            reasons.append(f"{loaded.document.where(('export', index, 'target'))}: {export.target}: {reason}")
    if reasons:
        raise NotAvailable("\n".join(reasons))


def variant(export: Export, precision: str) -> str:
    """The id of one precision of an export; a recipe counts for the precisions that are quantized."""
    target = registry.TARGETS.load(export.target)
    quantized = target.precisions.get(precision) in target.recipes
    return f"{export.target}-{precision}" + (f"-{export.recipe}" if export.recipe and quantized else "")


def _task(loaded: Loaded) -> Iterator[Problem]:
    task = loaded.settings.task
    allowed = registry.TASKS.load(task.type).metrics
    if task.metric not in allowed:
        where = loaded.document.where(("task", "metric"))
        yield Problem(
            where, f"`{task.metric}` does not measure {task.type}. Give one of: {', '.join(sorted(allowed))}."
        )


def _weights(loaded: Loaded) -> Iterator[Problem]:
    models: dict[KeyPath, Model] = {("teacher", "model"): loaded.settings.teacher.model}
    models |= {
        ("students", name, "model"): student.model
        for name, student in loaded.settings.students.items()
        if student.model
    }
    for path, model in models.items():
        if model.scratch is None or path != ("teacher", "model"):
            try:
                source.locate(model, loaded.root)
            except InputError as error:
                yield Problem(loaded.document.where(path), str(error))


def _exports(loaded: Loaded) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, export in enumerate(loaded.settings.export):
        target = registry.TARGETS.load(export.target)
        for position, precision in enumerate(export.precision):
            where = loaded.document.where(("export", index, "precision", position))
            if precision not in target.precisions:
                yield Problem(where, unknown(f"precision of {export.target}", precision, target.precisions))
            elif variant(export, precision) in seen:
                yield Problem(where, f"{variant(export, precision)} is built twice. Name each precision once.")
            else:
                seen.add(variant(export, precision))
        if export.recipe is not None and export.recipe not in target.recipes:
            where = loaded.document.where(("export", index, "recipe"))
            yield Problem(where, unknown(f"recipe of {export.target}", export.recipe, target.recipes))


def _measure(loaded: Loaded) -> Iterator[Problem]:
    longest = loaded.settings.task.max_length
    for index, tokens in enumerate(loaded.settings.measure.sequence):
        if tokens > longest:
            where = loaded.document.where(("measure", "sequence", index))
            yield Problem(
                where, f"{tokens} is above task.max_length, {longest}: no row is that long. Give at most {longest}."
            )


def _gate(loaded: Loaded) -> Iterator[Problem]:
    settings, place = loaded.settings, loaded.document.where
    gate = settings.gate
    for index, student in enumerate(gate.students or ()):
        if student not in settings.students:
            yield Problem(place(("gate", "students", index)), unknown("student", student, settings.students))
    latency = (gate.latency.p50_ms, gate.latency.p95_ms, gate.latency.speedup)
    limits = (gate.accuracy.keep, *latency, gate.size.max_mb, gate.baseline)
    if any(limit is not None for limit in limits) and not settings.export:
        yield Problem(place(("gate",)), "nothing is exported, so nothing can be judged. Add `export`.")
        return
    known = [
        variant(export, precision)
        for export in settings.export
        for precision in export.precision
        if precision in registry.TARGETS.load(export.target).precisions
    ]
    for group, on in (("accuracy", gate.accuracy.on), ("latency", gate.latency.on), ("size", gate.size.on)):
        if on is not None and on not in known:
            yield Problem(place(("gate", group, "on")), unknown("export", on, known))
    for key, asked, measured in (
        ("batch", gate.latency.batch, settings.measure.batch),
        ("sequence", gate.latency.sequence, settings.measure.sequence),
    ):
        if asked is not None and asked not in measured:
            listed = ", ".join(map(str, measured))
            yield Problem(
                place(("gate", "latency", key)), f"{asked} is not measured. Give one of measure.{key}: {listed}."
            )
    if gate.baseline is not None:
        try:
            record.load(loaded.root / gate.baseline)
        except InputError as error:
            yield Problem(place(("gate", "baseline")), error.problems[0].what)
