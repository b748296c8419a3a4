"""What a training is given beside its rows and settings, and what it tells afterwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from compress.training.precision import Precision

Notify = Callable[[int, int, str], None]
"""Told of progress: steps done, steps in all, and a note for the user; with none in all, something said once."""


def quiet(_done: int, _total: int, _note: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Session:
    """Where and how a training runs."""

    work: Path
    """Folder of its checkpoints; it goes on from the last complete one of the same training that is there."""
    seed: int = 0
    """Seed of dropout and of the order of the rows."""
    notify: Notify = quiet
    """Called after every step, on the main process."""
    tensorboard: Path | None = None
    """Folder for TensorBoard curves."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows."""

    epoch: float
    """Passes over the rows that were complete at its end."""
    loss: float
    """Mean loss of its steps."""
    parts: dict[str, float]
    """Mean of each part of the loss, before its weight, if the module tells parts."""
    accuracy: float
    """Share of the validation rows whose label is right after it."""
    scheduled: dict[str, float] = field(default_factory=dict)
    """What scheduled weights and temperatures were at its last step, if there are any."""


@dataclass(frozen=True)
class History:
    """How a training went, over all devices and interruptions."""

    steps: int
    """Optimizer steps."""
    rows: int
    """Training rows seen, each pass counted."""
    tokens: int
    """Real tokens seen, padding left out."""
    seconds: float
    """Time spent training, validating and saving; work lost in interruptions left out."""
    precision: Precision
    """Arithmetic of the forward pass."""
    devices: int = 1
    """Devices that trained together."""
    epochs: list[Epoch] = field(default_factory=list)
    """One entry for each pass, the last one perhaps not whole."""
    phases: list["History"] = field(default_factory=list)
    """If it was several trainings one after the other, each by itself; its own numbers are then those of all together."""
    notes: list[str] = field(default_factory=list)
    """What a reader should know about it."""

    def record(self) -> dict[str, Any]:
        """It as JSON, without times, which differ every time, and without empty lists of phases and notes."""
        told = {key: value for key, value in asdict(self).items() if key not in ("seconds", "phases")}
        told["phases"] = [phase.record() for phase in self.phases]
        return {key: value for key, value in told.items() if value or key not in ("phases", "notes")}


def restored(told: Mapping[str, Any]) -> History:
    """The history of one training as `dataclasses.asdict` gave it."""
    return History(**{**told, "epochs": [Epoch(**epoch) for epoch in told["epochs"]]})


def joined(phases: Sequence[History]) -> History:
    """Trainings one after the other as one, whose epochs are counted through."""
    if len(phases) == 1:
        return phases[0]
    epochs: list[Epoch] = []
    for phase in phases:
        before = epochs[-1].epoch if epochs else 0.0
        epochs += [replace(epoch, epoch=before + epoch.epoch) for epoch in phase.epochs]
    return History(
        steps=sum(phase.steps for phase in phases),
        rows=sum(phase.rows for phase in phases),
        tokens=sum(phase.tokens for phase in phases),
        seconds=sum(phase.seconds for phase in phases),
        precision=phases[-1].precision,
        devices=phases[-1].devices,
        epochs=epochs,
        phases=list(phases),
        notes=list(phases[-1].notes),
    )
