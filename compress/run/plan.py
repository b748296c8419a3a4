"""What would run, in which order, and why. Reads files, runs nothing, imports no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from compress.bench import machine
from compress.config import catalogue
from compress.config.pipeline import Loaded
from compress.config.source import KeyPath, dotted
from compress.data import sources
from compress.encoders import source
from compress.errors import InputError, unknown
from compress.files import sha256
from compress.run.steps import Step, steps
from compress.store import artifact, fingerprint
from compress.store.artifact import Artifact

State = Literal["fresh", "run", "later"]


@dataclass(frozen=True)
class Item:
    """One step of a plan."""

    step: Step
    state: State
    """`fresh`: its artifact is up to date; `run`: it must be made; `later`: that depends on what the steps before it make."""
    reasons: tuple[str, ...] = ()


class Plan:
    """The steps of a pipeline with what their results depend on, as the files are now."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.steps = steps(loaded)
        self._settings = loaded.settings.model_dump(mode="json")
        self._machine = machine.describe().machine_class  # before PyTorch is loaded, which may bind threads to cores

    def folder(self, name: str) -> Path:
        """Where the artifact of a step lies."""
        return self.loaded.folder / name

    def selected(self, start: str | None = None, until: str | None = None) -> list[Step]:
        """The steps that `until` needs, or all; `start` is only checked. Both are a step's name or a stage's.

        Raises: InputError for a name that no step or stage has, or a start that is not among the chosen steps.
        """
        known = list(dict.fromkeys(name for step in self.steps for name in (step.stage, step.name)))
        for option, name in (("--from", start), ("--until", until)):
            if name is not None and name not in known:
                raise InputError(f"{option} {name}: {unknown('step', name, known)}")
        if until is None:
            return self.steps
        wanted = {step.name for step in self.steps if until in (step.name, step.stage)}
        for step in reversed(self.steps):
            if step.name in wanted:
                wanted |= set(step.needed)
        chosen = [step for step in self.steps if step.name in wanted]
        if start is not None and not any(start in (step.name, step.stage) for step in chosen):
            raise InputError(f"--from {start}: --until {until} does not read it, so it would not run.")
        return chosen

    def forced(self, chosen: Iterable[Step], start: str | None) -> set[str]:
        """The chosen steps that `start`, a step's name or a stage's, makes run: these and all that read them."""
        found: set[str] = set()
        for step in chosen:
            if start in (step.name, step.stage) or not found.isdisjoint(step.needed):
                found.add(step.name)
        return found

    def items(
        self, chosen: Iterable[Step] | None = None, forced: Iterable[str] = (), *, contents: bool = False
    ) -> list[Item]:
        """The state of each step and why; `forced` steps run whatever their state.

        What is fresh is looked at by its files' sizes, with `contents` byte for byte.
        """
        states: dict[str, Item] = {}
        for step in self.steps if chosen is None else chosen:
            waits = [name for name in step.needed if name in states and states[name].state != "fresh"]
            states[step.name] = self._item(step, waits, step.name in forced, contents)
        return list(states.values())

    def _item(self, step: Step, waits: list[str], forced: bool, contents: bool) -> Item:
        if forced:
            return Item(step, "run", ("asked for by --from",))
        try:
            made = artifact.read(self.folder(step.name))
            damage = made.damage(contents=False) if made else None
        except InputError as error:
            made, damage = None, str(error)
        if damage:
            return Item(step, "run", (f"damaged: {damage}",))
        if made is None:
            return Item(step, "run", ("not made yet",))
        inputs = {f"input.{name}": made.manifest.parts.get(f"input.{name}", "") for name in step.needed}
        inputs |= {f"input.{name}": self.content(name) for name in step.needed if name not in waits}
        changed = fingerprint.changes(made.manifest.parts, self.parts(step, inputs))
        if changed:
            return Item(step, "run", tuple(self._reason(step, change) for change in changed))
        if waits:
            return Item(step, "later", tuple(f"if {name} comes out different" for name in waits))
        if contents and (damage := made.damage(contents=True)):
            return Item(step, "run", (f"damaged: {damage}",))
        return Item(step, "fresh")

    def artifact(self, name: str) -> Artifact | None:
        """The artifact of a step, if there is one that can be read."""
        try:
            return artifact.read(self.folder(name))
        except InputError:
            return None

    def content(self, name: str) -> str:
        """The digest of a step's artifact; empty if there is none."""
        made = self.artifact(name)
        return made.manifest.digest if made else ""

    def parts(self, step: Step, inputs: Mapping[str, str] | None = None) -> fingerprint.Parts:
        """Everything the result of a step depends on. `inputs` replaces the digests of its inputs as they are now."""
        parts: fingerprint.Parts = {}
        for name, key in step.keys.items():
            parts |= fingerprint.settings(_at(self._settings, key), f"settings.{name}")
        if step.splits:
            parts |= fingerprint.settings(self._settings["task"]["data"]["columns"], "settings.task.data.columns")
        for key in step.weights:
            parts[f"weights.{dotted(key)}"] = source.digest(
                source.locate(_at(self.loaded.settings, key), self.loaded.root)
            )
        for key in step.files:
            parts[f"file.{dotted(key)}"] = _content(self.loaded.root / _at(self.loaded.settings, key))
        parts |= {f"data.{split}": self._data[split] for split in step.splits}
        parts |= {f"input.{name}": self.content(name) for name in step.needed} if inputs is None else inputs
        parts = {part: value for part, value in parts.items() if not part.endswith(".checkpoint_steps")}
        baseline = self.loaded.settings.gate.baseline
        if step.stage == "report" and baseline:
            parts["baseline"] = sha256(self.loaded.root / baseline)
        if step.stage == "report":
            parts["file.teacher.use"] = sha256(
                catalogue.card("teachers", self.loaded.settings.teacher.use, self.loaded.root)
            )
        if step.script is not None:
            own = [step.script] if step.script.is_file() else sorted(step.script.iterdir())
            parts[f"code.{step.script.name}"] = fingerprint.digest({path.name: sha256(path) for path in own})
        if step.machine:
            parts["machine"] = self._machine
        parts |= fingerprint.versions(step.packages)
        return parts | fingerprint.code((f"compress.stages.{step.stage}", *step.plugins))

    @cached_property
    def _data(self) -> Mapping[str, str]:
        return sources.digest(self.loaded.settings.task, self.loaded.root)

    def _reason(self, step: Step, change: fingerprint.Change) -> str:
        kind, _, name = change.part.partition(".")
        if kind == "settings":
            key = next((key for key in step.keys if f"{name}.".startswith(f"{key}.")), name)
            below = name[len(key) + 1 :]
            inner = [int(part) if part.isdigit() else part for part in below.split(".")] if below else []
            path = (*step.keys.get(key, ("task", "data", "columns")), *inner)
            place = self.loaded.document.place(path)
            return f"{name} {_short(change.old)} -> {_short(change.new)}{f', {place}' if place else ''}"
        if kind == "version":
            return f"{name} {change.old or 'none'} -> {change.new or 'none'}"
        if kind == "code":
            return f"the code of {name} changed"
        if kind == "data":
            return f"the {name} rows changed"
        if kind == "input":
            return f"{name} changed"
        if kind == "file":
            return f"the file of {name} changed"
        if kind == "weights":
            return f"the pretrained weights of {name} changed"
        return f"{kind} {change.old} -> {change.new}"


def _content(path: Path) -> str:
    """The digest of a file.

    Raises: InputError if it cannot be read
    """
    try:
        return sha256(path)
    except OSError as error:
        raise InputError(sources.unreadable(path, error)) from error


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(value, Mapping):
            value = value[str(part)]
        elif isinstance(value, list | tuple):
            value = value[int(part)]
        else:
            value = getattr(value, str(part))
    return value


def _short(value: str | None) -> str:
    return "none" if value is None else value if len(value) <= 60 else f"{value[:57]}..."
