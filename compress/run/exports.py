"""What is exported: targets, precisions, recipes and options that fit each other, found before anything runs."""

from collections.abc import Iterator

from compress import registry, targets
from compress.config.pipeline import Draft
from compress.config.settings import Export, Measure, Task
from compress.config.source import KeyPath
from compress.errors import InputError, Problem, unknown
from compress.targets import Extent, Option, Target


def written(draft: Draft) -> list[Export | None]:
    """The exports in their order; None for one that is not valid."""
    listed = draft.document.value.get("export")
    count = len(listed) if isinstance(listed, list) else 0
    return [draft.part(Export, ("export", index)) for index in range(count)]


def variant(export: Export, precision: str) -> str:
    """The id of one precision of an export."""
    try:
        return targets.deployed(export.target, precision, export.recipe).id
    except InputError:  # said where the recipe is asked for
        return targets.Export(export.target, precision, export.recipe).id


def problems(draft: Draft) -> Iterator[Problem]:
    """Everything that does not fit, as far as the entries of the file are valid."""
    seen: set[str] = set()
    measured = draft.part(Measure, ("measure",)) or Measure()
    for index, export in enumerate(written(draft)):
        if export is None:
            continue
        path: KeyPath = ("export", index)
        target: Target = registry.TARGETS.load(export.target)
        fits = export.recipe is None
        if export.recipe is not None:
            faults = list(_recipe(draft, path, export.recipe, export, target))
            yield from faults
            fits = not faults
        for position, precision in enumerate(export.precision):
            where = draft.document.where((*path, "precision", position))
            if precision not in target.precisions:
                yield Problem(where, unknown(f"precision of {export.target}", precision, target.precisions))
            elif fits and variant(export, precision) in seen:
                yield Problem(where, f"{variant(export, precision)} is built twice. Name each precision once.")
            elif fits:
                seen.add(variant(export, precision))
        yield from _options(draft, path, export, target)
        yield from _misfits(draft, path, export, target)
        yield from _idle(draft, path, export, target)
        if target.bounded and max(measured.batch) > export.max_batch:
            own = "max_batch" in export.model_fields_set
            yield Problem(
                draft.document.where((*path, "max_batch") if own else path),
                f"{'' if own else 'max_batch: '}{export.max_batch} is below {max(measured.batch)}, a batch of `measure.batch`, and "
                f"{export.target} takes no larger call than it was built for. Give at least {max(measured.batch)}.",
            )


def _recipe(draft: Draft, path: KeyPath, recipe: str, export: Export, target: Target) -> Iterator[Problem]:
    """What is wrong with a recipe that is asked for."""
    where = draft.document.where((*path, "recipe"))
    if recipe not in target.recipes:
        yield Problem(where, unknown(f"recipe of {export.target}", recipe, target.recipes))
        return
    try:
        makes = registry.RECIPES.load(recipe).precisions
    except InputError as error:
        yield Problem(where, str(error))
        return
    if makes.isdisjoint(export.precision):
        listed = ", ".join(sorted(makes & set(target.precisions)))
        yield Problem(where, f"`{recipe}` makes none of the precisions asked for. It makes: {listed}.")


def _options(draft: Draft, path: KeyPath, export: Export, target: Target) -> Iterator[Problem]:
    for name, value in export.options.items():
        where = draft.document.where((*path, "options", name))
        if name not in target.options:
            yield Problem(where, unknown(f"option of {export.target}", name, target.options))
        elif type(value) is not type(target.options[name]):
            yield Problem(where, f"{_shown(value)} is no {_kind(target.options[name])}, as this option is.")


def _misfits(draft: Draft, path: KeyPath, export: Export, target: Target) -> Iterator[Problem]:
    """What a target says of the values that it knows."""
    task = draft.part(Task, ("task",), ("type", "data", "max_length"))
    kinds = {name: type(default) for name, default in target.options.items()}
    values = {name: value for name, value in export.options.items() if type(value) is kinds.get(name)}
    if task is not None:
        for name, what in target.misfits(values, Extent(export.max_batch, task.max_length)).items():
            yield Problem(draft.document.where((*path, "options", name)), what)


def _shown(value: Option) -> str:
    return (
        str(list(value))
        if isinstance(value, tuple)
        else f"`{str(value).lower() if value is True or value is False else value}`"
    )


def _kind(value: Option) -> str:
    return {bool: "true or false", int: "whole number", str: "text", tuple: "list of texts"}[type(value)]


def _idle(draft: Draft, path: KeyPath, export: Export, target: Target) -> Iterator[Problem]:
    """Keys that nothing reads."""
    if all(targets.plain(target, precision) is None for precision in export.precision):
        for key in sorted(export.model_fields_set & {"max_drop", "on_regression"}):
            what = f"is read of lower precisions than {next(iter(target.precisions))}, and none is asked for. Leave it out."
            yield Problem(draft.document.where((*path, key)), what)
    recipes = {
        _made(target, precision, export.recipe) for precision in export.precision if precision in target.precisions
    }
    if "calibration_rows" in export.model_fields_set and not any(map(_calibrates, filter(None, recipes))):
        what = "is read by recipes that calibrate, and none is asked for. Leave it out, or name one as `recipe`."
        yield Problem(draft.document.where((*path, "calibration_rows")), what)
    if not target.bounded and "max_batch" in export.model_fields_set:
        what = f"{export.target} takes calls of any size. Leave it out."
        yield Problem(draft.document.where((*path, "max_batch")), what)


def _made(target: Target, precision: str, asked: str | None) -> str | None:
    try:
        return targets.chosen(target, precision, asked)
    except InputError:  # said where the recipe is asked for
        return asked


def _calibrates(recipe: str) -> bool:
    try:
        return bool(registry.RECIPES.load(recipe).calibrates)
    except InputError:
        return True
