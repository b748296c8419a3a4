"""Things found by name: one file a thing, the file's name is the name in YAML, the file defines one object of that name.

Listing names reads folder entries and package metadata; nothing is imported until a thing is loaded.
"""

import sys
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

from compress.errors import InputError, UnknownName

ROOT = Path(__file__).parent


class Registry:
    """All things of one kind: the files of a package of this program, plus third parties' entry points.

    `package` is a path below `compress` (`"losses"`, `"data.tasks"`); third parties register in the entry-point
    group `compress.<package>`. A file's name in YAML has hyphens where the module has underscores if `hyphens` is set.
    `mark` is the attribute that the package's decorator gives each of them.
    """

    def __init__(self, kind: str, package: str, *, hyphens: bool = False, mark: str | None = None) -> None:
        self.kind = kind
        self.package = package
        self.hyphens = hyphens
        self.mark = mark

    @cached_property
    def _files(self) -> dict[str, str]:
        folder = ROOT.joinpath(*self.package.split("."))
        modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
        return {module.replace("_", "-") if self.hyphens else module: module for module in modules}

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        group = f"compress.{self.package}"
        return {point.name: point for point in _installed(*sys.path) if point.group == group}

    def names(self) -> list[str]:
        """All known names, sorted. Imports nothing."""
        return sorted({*self._files, *self._plugins})

    def module(self, name: str) -> str:
        """The dotted module that defines `name`.

        Raises: UnknownName if no file and no entry point has the name.
        """
        if name in self._files:
            return f"compress.{self.package}.{self._files[name]}"
        if name in self._plugins:
            return self._plugins[name].module
        raise UnknownName(self.kind, name, self.names())

    def load(self, name: str) -> Any:
        """The object called `name`; imports its file.

        Raises: UnknownName if no file and no entry point has the name; InputError if a plug-in cannot be imported, or
        lacks the mark.
        """
        if name in self._files:
            module = self._files[name]
            return getattr(import_module(f"compress.{self.package}.{module}"), module)
        if name not in self._plugins:
            raise UnknownName(self.kind, name, self.names())
        point = self._plugins[name]
        try:
            found = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(f"the {self.kind} `{name}` of {point.value} cannot be loaded: {error}") from error
        if self.mark is not None and not hasattr(found, self.mark):
            raise InputError(
                f"the {self.kind} `{name}` of {point.value} has no `{self.mark}`. Write the decorator of "
                f"compress.{self.package} that gives it above the function."
            )
        return found


@cache
def _installed(*_folders: str) -> tuple[EntryPoint, ...]:
    """The entry points for this program, read once in a process for the folders that modules are found in."""
    found = entry_points()
    groups = [group for group in found.groups if group.startswith("compress.")]
    return tuple(point for group in groups for point in found.select(group=group))


def distributions(module: str) -> list[Distribution]:
    """The installed distributions that register things of a module with this program."""
    points = [point for point in _installed(*sys.path) if point.module == module]
    return [point.dist for point in points if point.dist is not None]


LOSSES = Registry("loss", "losses", mark="reads")
MAPPINGS = Registry("layer mapping", "mappings", mark="reads")
IMPORTANCE = Registry("importance score", "importance", mark="reads")
METRICS = Registry("metric", "metrics")
TEACHERS = Registry("callable teacher", "teachers")
TASKS = Registry("task", "data.tasks", hyphens=True)
RECIPES = Registry("quantization recipe", "quantization", mark="calibrates")
TARGETS = Registry("target", "targets", hyphens=True)
