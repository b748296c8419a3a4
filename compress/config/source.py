"""YAML 1.2 read with the place of every key, so that a mistake can be shown where it stands."""

import errno
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from compress.errors import InputError, Problem
from compress.files import opened

KeyPath = tuple[str | int, ...]
_SIZE_LIMIT_BYTES = 1_000_000
_NODE_LIMIT = 10_000
_DEPTH_LIMIT = 40
_TOO_MANY = "too many or too deeply nested values (aliases count each time)."


def dotted(path: KeyPath) -> str:
    """A key path as people write it: `students.tiny.distill.losses`."""
    return ".".join(str(part) for part in path)


class _TooMany(Exception):
    """There are too many values, from this line (counted from 0) on."""


class _Bounded(Composer):
    """Stops where it is too much, before all is read: nested flow collections take quadratic time."""

    _count = _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._count, self._depth = self._count + 1, self._depth + 1
        if self._count > 2 * _NODE_LIMIT or self._depth > _DEPTH_LIMIT + 1:
            raise _TooMany(self.parser.peek_event().start_mark.line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


@dataclass(frozen=True)
class Document:
    """A YAML mapping as plain Python values, with the place (`file:line`) of each key path."""

    value: dict[str, Any]
    places: Mapping[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Where the key stands, or the nearest key around it that is written somewhere."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return ""

    def where(self, path: KeyPath) -> str:
        """`file:line: key.path`, as problems start."""
        return ": ".join(part for part in (self.place(path), dotted(path)) if part)


def read(path: Path, shown: str | None = None) -> Document:
    """Read a YAML file whose top is a mapping. `shown` is the file's name in messages.

    Raises: InputError if it cannot be read, is not YAML 1.2, repeats a key, or its top is not a mapping.
    """
    name = shown or str(path)
    try:
        with opened(path, _SIZE_LIMIT_BYTES) as stream:
            raw = stream.read()
    except OSError as error:
        large = " A pipeline or card is a few kB." if error.errno == errno.EOVERFLOW else ""
        raise InputError(f"{name}: cannot be read: {error.strerror}.{large}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: not UTF-8. Save the file as UTF-8.") from error
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Read YAML text; see `read`."""
    reader = YAML(typ="rt", pure=True)
    reader.Composer = _Bounded
    try:
        top = reader.load(text)
    except _TooMany as error:
        raise InputError(f"{name}:{error.args[0] + 1}: {_TOO_MANY}") from error
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else ""
        raise InputError(f"{name}:{line}: the key `{key}` is written twice. Keep one.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{name}:{line}: not YAML: {error.problem or error.context}.") from error
    except Exception as error:  # ruamel meets some values that are no YAML with errors of Python's own
        raise InputError(f"{name}: not YAML that can be read: {str(error).partition(chr(10))[0]}.") from error
    if not isinstance(top, CommentedMap):
        raise InputError(f"{name}:1: the top of the file must be `key: value` lines.")
    places: dict[KeyPath, str] = {(): f"{name}:1"}
    value = _plain(top, (), places, name, [0])
    return Document(value, places)


def override(document: Document, assignments: Iterable[str]) -> Document:
    """A document with `a.b=value` assignments applied; values are YAML (`4`, `[1, 2]`, `{train: x.tsv}`).

    Raises: InputError for assignments that have no `=`, no key, no YAML after it, or lead through a plain value.
    """
    value, places = _copy(document.value), dict(document.places)
    problems: list[Problem] = []
    for assignment in assignments:
        shown = f"--set {assignment}"
        key, equals, text = assignment.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(path):
            problems.append(Problem(shown, "write it as `key.path=value`."))
            continue
        try:
            new = parse(f"value: {text}", shown).value["value"]
        except InputError:
            problems.append(Problem(shown, f"`{text}` is not a YAML value."))
            continue
        try:
            found = _assign(value, path, new)
        except (TypeError, KeyError, IndexError, ValueError):
            problems.append(Problem(shown, "the key path leads through a value that holds no keys."))
            continue
        for old in [known for known in places if known[: len(found)] == found]:
            del places[old]
        for end in range(1, len(found)):
            places.setdefault(found[:end], f"--set {key.strip()}")
        places[found] = f"--set {key.strip()}"
    if problems:
        raise InputError(problems)
    return Document(value, places)


def merge(below: Document, above: Document, whole: Iterable[KeyPath] = ()) -> Document:
    """`above` laid over `below`, mapping by mapping; the key paths in `whole` are taken from one of them as they are."""
    places = dict(below.places)
    value = _overlay(below.value, above.value, (), frozenset(whole), places, above.places)
    places.update(above.places)
    return Document(value, places)


def prefixed(document: Document, prefix: KeyPath) -> Document:
    """The document as it stands below `prefix` in another one."""
    value: Any = document.value
    for part in reversed(prefix):
        value = {part: value}
    return Document(value, {prefix + path: place for path, place in document.places.items()})


def _overlay(
    below: Any,
    above: Any,
    path: KeyPath,
    whole: frozenset[KeyPath],
    places: dict[KeyPath, str],
    new: Mapping[KeyPath, str],
) -> Any:
    if isinstance(below, dict) and isinstance(above, dict) and path not in whole:
        joined = {
            key: _overlay(below[key], value, (*path, key), whole, places, new) if key in below else value
            for key, value in above.items()
        }
        return joined | {key: value for key, value in below.items() if key not in above}
    for old in [known for known in places if known[: len(path)] == path]:
        del places[old]
    return above


def _assign(value: dict[str, Any], path: tuple[str, ...], new: Any) -> KeyPath:
    node: Any = value
    taken: list[str | int] = []
    for position, part in enumerate(path):
        key: str | int = int(part) if isinstance(node, list) else part
        if isinstance(node, list):
            node[int(key)]
        elif not isinstance(node, dict):
            raise TypeError(part)
        taken.append(key)
        if position == len(path) - 1:
            node[key] = new
        else:
            if isinstance(node, dict) and node.get(part) is None:
                node[part] = {}
            node = node[key]
    return tuple(taken)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _items(node: CommentedMap | CommentedSeq) -> Iterator[tuple[str | int, Any, int]]:
    if isinstance(node, CommentedMap):
        for key, item in node.items():
            try:
                line = node.lc.key(key)[0]
            except (KeyError, TypeError):  # a key that came through `<<`, or a mapping under a tag
                line = node.lc.line or 0
            yield str(key), item, line
    else:
        for index, item in enumerate(node):
            yield index, item, node.lc.item(index)[0] if node.lc.data else 0  # none under a tag


def _plain(node: Any, path: KeyPath, places: dict[KeyPath, str], name: str, seen: list[int]) -> Any:
    seen[0] += 1
    if seen[0] > _NODE_LIMIT or len(path) > _DEPTH_LIMIT:
        raise InputError(f"{places.get(path, name)}: {_TOO_MANY}")
    if isinstance(node, CommentedMap | CommentedSeq):
        children: dict[str | int, Any] = {}
        for key, item, line in _items(node):
            places[(*path, key)] = f"{name}:{line + 1}"
            children[key] = _plain(item, (*path, key), places, name, seen)
        return children if isinstance(node, CommentedMap) else list(children.values())
    if node is None or isinstance(node, bool):
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)
