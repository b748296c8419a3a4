"""What a training is given beside its rows and settings, and what it tells afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from compress.training.precision import Precision

Notify = Callable[[int, int, str], None]
"""Told of progress: steps done, steps in all, and a note for the user."""


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
