"""What a stage's result depends on, as flat named parts, and why two results differ.

A part is a setting (`settings.students.tiny.distill.temperature`), an input's content (`input.teacher`), the data's
content (`data.train`), one module of the code (`code.compress.losses.soft_label`) or a version (`version.torch`).
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from compress.files import text_digest
from compress.registry import ROOT, distributions

Parts = dict[str, str]
# These rooms carry settings, messages and files about; the numbers are made elsewhere.
_PLUMBING = (
    "compress.config",
    "compress.store",
    "compress.errors",
    "compress.interruption",
    "compress.units",
    "compress.files",
    "compress.registry",
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_NUMBERS = "compress.config.schedule"
"""The one module of those rooms that makes numbers."""


class Change(NamedTuple):
    """A part that is not what it was; `None` where it was not there."""

    part: str
    old: str | None
    new: str | None


def digest(parts: Mapping[str, str]) -> str:
    """One digest over all parts."""
    return text_digest(json.dumps(dict(sorted(parts.items()))))


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """The parts that differ, in the order of `new`, then those that are gone."""
    found = [Change(part, old.get(part), value) for part, value in new.items() if old.get(part) != value]
    return found + [Change(part, value, None) for part, value in old.items() if part not in new]


def settings(value: Any, prefix: str = "settings") -> Parts:
    """The leaves of nested settings, each under its dotted key, as JSON; groups in a list are counted from 0."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        return {name: leaf for key, item in value.items() for name, leaf in settings(item, f"{prefix}.{key}").items()}
    return {prefix: json.dumps(value, ensure_ascii=False)}


def versions(packages: Iterable[str]) -> Parts:
    """The installed versions of packages."""
    return {f"version.{package}": _version(package) for package in sorted(packages)}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def code(modules: Iterable[str]) -> Parts:
    """Digests of the given modules and of all modules of this program they import, comments and docstrings left out.

    A third party's module counts with its own digest and the version of the distribution that registers it.
    """
    waiting, seen = [*modules], set[str]()
    plugins = {plugin.name: plugin.version for module in waiting for plugin in distributions(module)}
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        found = [name for name in _module(module)[1] if name not in seen]
        waiting += [name for name in found if name == _NUMBERS or not name.startswith(_PLUMBING)]
    parts = {f"code.{module}": _module(module)[0] for module in sorted(seen)}
    return parts | {f"version.{name}": plugins[name] for name in sorted(plugins)}


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]]:
    """The digest of a module's syntax tree and the modules of this program that it imports."""
    path = _file(name)
    if path is None:
        return "no source", ()
    words: list[str] = []
    imports: set[str] = set()
    _read(ast.parse(path.read_bytes()), words, imports)
    return text_digest(" ".join(words)), tuple(sorted(imports))


def _read(node: ast.AST, words: list[str], imports: set[str]) -> None:
    """Add a syntax tree's words, and the imports in it; one pass over all, since `plan` reads every module of a run."""
    words.append(type(node).__name__)
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
    elif isinstance(node, ast.Import | ast.ImportFrom):
        imports.update(_imported(node))
    for field in node._fields:
        value = getattr(node, field, None)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, ast.AST):
                _read(item, words, imports)
            else:
                words.append(repr(item))
        words.append(",")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _own(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level and _own(node.module):
        yield node.module
        yield from (name for alias in node.names if _own(name := f"{node.module}.{alias.name}"))


def _own(name: str) -> bool:
    return name.partition(".")[0] == ROOT.name and _file(name) is not None


@cache
def _file(name: str) -> Path | None:
    """The source of a module, found without importing it or its packages."""
    first, *rest = name.split(".")
    spec = find_spec(first)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *rest)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None
