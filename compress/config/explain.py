"""What pydantic found wrong, as sentences: where it stands, what was seen, what is allowed, what to do."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from compress.config.group import meanings
from compress.config.source import Document, KeyPath
from compress.errors import Problem


def explain(error: ValidationError, model: type[BaseModel], document: Document) -> dict[KeyPath, Problem]:
    """One problem for each key path of the document that does not fit the model."""
    problems: dict[KeyPath, Problem] = {}
    for fault in error.errors(include_url=False):
        path = _written(fault["loc"], document.value, fault["type"])
        if path in problems:
            continue
        sentence = _sentence(fault, model_at(model, path[:-1]), str(path[-1]) if path else "", path)
        problems[path] = Problem(document.where(path), sentence)
    return problems


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The settings class that holds the keys below `path`; None where the value is no group of keys."""
    current: Any = model
    for part in path:
        current = next(_below(current, part), None)
        if current is None:
            return None
    return next(_models(current), None)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A group's fields by the names that they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation) if get_origin(annotation) is not dict else ():
        yield from _models(inner)


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if part in _fields(annotation):
            yield _fields(annotation)[str(part)].annotation
    elif get_origin(annotation) is dict:
        yield get_args(annotation)[1]
    elif get_origin(annotation) in (tuple, list):
        yield get_args(annotation)[0]
    else:
        for inner in get_args(annotation):
            yield from _below(inner, part)


def _written(loc: tuple[int | str, ...], value: Any, kind: str) -> KeyPath:
    """The part of pydantic's location that the file has keys for.

    Pydantic adds names of union members. Those in parentheses are of a member that was chosen by the value's kind, so
    that what follows them counts.
    """
    path: list[int | str] = []
    for part in loc:
        if isinstance(part, str) and part.startswith("("):
            continue
        listed = isinstance(value, list) and part in range(len(value))
        if not listed and not (isinstance(value, dict) and part in value):
            return (*path, part) if kind == "missing" and part == loc[-1] else tuple(path)
        value = value[part]
        path.append(part)
    return tuple(path)


def _sentence(fault: Any, group: type[BaseModel] | None, key: str, path: KeyPath) -> str:
    seen, context, kind = fault["input"], fault.get("ctx", {}), fault["type"]
    told = meanings(group).get(key) if group else None
    meaning = f" {told}" if told else ""
    shown = _shown(seen)
    if kind == "extra_forbidden":
        known = sorted(_fields(group)) if group else []
        near = get_close_matches(key, known, n=1, cutoff=0.6)
        return f"no such key.{f' Did you mean `{near[0]}`?' if near else ''} Keys here: {', '.join(known)}."
    if kind == "missing":
        return f"is missing.{meaning}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"{shown} is {_bound(context)}.{meaning}"
    if kind in ("literal_error", "enum"):
        allowed = [
            option.strip().strip("'").replace("False", "false")
            for option in str(context["expected"]).replace(" or ", ",").split(",")
        ]
        near = get_close_matches(str(seen), allowed, n=1, cutoff=0.6)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        return f"{shown} is not allowed.{hint} Give one of: {', '.join(allowed)}."
    if kind == "value_error":
        return f"{context['error']}."
    if kind == "string_pattern_mismatch":
        return f"{shown} does not fit the pattern {context['pattern']}.{meaning}"
    if kind in ("too_short", "string_too_short"):
        return f"is empty; give at least one.{meaning}"
    return f"{shown} is not {_expected(kind)}.{meaning}"


def _bound(context: dict[str, Any]) -> str:
    for name, sentence in (
        ("gt", "not above {}; give a number above {}"),
        ("ge", "below {}; give {} or more"),
        ("lt", "not below {}; give a number below {}"),
        ("le", "above {}; give at most {}"),
    ):
        if name in context:
            return sentence.format(context[name], context[name])
    return "out of range"


def _expected(kind: str) -> str:
    for start, text in (
        ("int", "a whole number"),
        ("float", "a number"),
        ("finite", "a finite number"),
        ("bool", "`true` or `false`"),
        ("string", "a text"),
        ("dict", "a group of keys"),
        ("model", "a group of keys"),
        ("tuple", "a list"),
        ("list", "a list"),
    ):
        if kind.startswith(start):
            return text
    return f"allowed here ({kind.replace('_', ' ')})"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
