"""What one step comes to: which stage works, on what, and where. The whole of what another process needs to join in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

Notify = Callable[[int, int, str], None]
"""Told of progress: done, in all, and a note for the user."""


@dataclass(frozen=True)
class Job:
    """One step, ready to be done."""

    stage: str
    """Module and function of `compress.stages`."""
    name: str
    """The step's name, such as `distill/tiny`."""
    settings: Mapping[str, Any]
    """Arguments of the stage's `Settings`."""
    needs: Mapping[str, Path | Mapping[str, Path]]
    """Arguments of the stage's `Needs`: folders of artifacts."""
    work: Path
    """Its folder for half-done work."""
    root: Path
    """The project's folder."""
    seed: int
    """Seed of everything random."""
    tensorboard: Path | None
    """Where training curves go, if they are asked for."""

    def perform(self, out: Path, notify: Notify) -> None:
        """Do it; what it makes goes into the folder `out`."""
        from compress.stages.context import Context

        stage = import_module(f"compress.stages.{self.stage}")
        context = Context(
            name=self.name,
            out=out,
            work=self.work,
            root=self.root,
            seed=self.seed,
            notify=notify,
            tensorboard=self.tensorboard,
        )
        getattr(stage, self.stage)(stage.Settings(**self.settings), stage.Needs(**self.needs), context)
