"""What happens around the steps of a training: counting, telling the user, deciding when to validate and to save."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from compress import interruption
from compress.training.grouping import LengthGroups
from compress.training.history import Epoch, Notify

MEMORY = 0.9
"""Share of the former value that each step leaves in the loss shown to the user."""

PAUSE = 30.0
"""Seconds: an epoch that ends sooner after the last checkpoint, or the start, gets none unless steps are asked for."""

LONG = 600.0
"""Seconds: inside of an epoch too a checkpoint is due so long after the last one, unless steps are asked for."""


class Progress(TrainerCallback):
    """The callback of a training loop. Its state travels in the seals of checkpoints."""

    def __init__(self, groups: LengthGroups, steps: int, checkpoint_steps: int | None, notify: Notify) -> None:
        self.groups = groups
        self.steps = steps
        self.checkpoint_steps = checkpoint_steps
        self.notify = notify
        self.epochs: list[Epoch] = []
        self.sums: dict[str, Tensor] = {}
        self.count = 0
        self.shown: float | None = None
        self.started = self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent, that before an interruption included."""
        return time.monotonic() - self.started

    @property
    def open(self) -> bool:
        """Whether there are steps that no closed epoch has."""
        return self.count > 0

    def ends(self, step: int) -> bool:
        """Whether an epoch ends with this step."""
        return step % len(self.groups) == 0 or step == self.steps

    def add(self, loss: float, parts: Mapping[str, Tensor]) -> None:
        """Count one step's loss and its parts (shapes: ())."""
        self.shown = loss if self.shown is None else MEMORY * self.shown + (1 - MEMORY) * loss
        self.count += 1
        for name, value in {"": torch.tensor(loss, dtype=torch.float64), **parts}.items():
            # Summed where they are: bringing each part to the processor would make the device wait in every step.
            self.sums[name] = self.sums[name].to(value.device) + value.double() if name in self.sums else value.double()

    def means(self) -> dict[str, float]:
        """The mean loss of the epoch so far under the name "", and the means of its parts."""
        return {name: float(total) / self.count for name, total in self.sums.items()}

    def close(self, epoch: float, means: Mapping[str, float], accuracy: float, scheduled: Mapping[str, float]) -> None:
        """Record an epoch and begin the next one."""
        parts = {name: mean for name, mean in means.items() if name}
        self.epochs.append(
            Epoch(epoch=epoch, loss=means[""], parts=parts, accuracy=accuracy, scheduled=dict(scheduled))
        )
        self.sums, self.count = {}, 0

    def state(self) -> dict[str, Any]:
        """Everything to go on from, as JSON."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "sums": {name: float(total) for name, total in self.sums.items()},
            "count": self.count,
            "shown": self.shown,
            "seconds": self.seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.sums = {name: torch.tensor(total, dtype=torch.float64) for name, total in state["sums"].items()}
        self.count, self.shown = state["count"], state["shown"]
        self.started = time.monotonic() - state["seconds"]

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        self.groups.epoch = state.global_step // len(self.groups)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        step = state.global_step
        if state.is_world_process_zero:
            self.notify(step, self.steps, self._note(step))
        # At the end of an epoch the checkpoint waits for the validation, which belongs into it.
        due = self._due(step) or (self.checkpoint_steps is None and self._after(LONG))
        control.should_save = interruption.asked() or (due and not self.ends(step))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        step = state.global_step
        control.should_evaluate = True
        control.should_save = self._due(step) or (
            # Several devices must save together, and their clocks would not agree.
            self.checkpoint_steps is None and step < self.steps and (self.groups.devices > 1 or self._after(PAUSE))
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any) -> None:
        self.saved = time.monotonic()

    def _after(self, seconds: float) -> bool:
        """Whether the last checkpoint of a process that trains alone is so old."""
        return self.groups.devices == 1 and time.monotonic() - self.saved >= seconds

    def _due(self, step: int) -> bool:
        """Whether a checkpoint was asked for here; after the last step nothing is left to go on with."""
        return self.checkpoint_steps is not None and step % self.checkpoint_steps == 0 and step < self.steps

    def _note(self, step: int) -> str:
        validated = f", validation accuracy {self.epochs[-1].accuracy:.4f}" if self.epochs else ""
        return f"epoch {step / len(self.groups):.2f}, loss {self.shown:.4f}{validated}"
