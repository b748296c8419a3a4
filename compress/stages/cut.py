"""The cuts of a student's heads and neurons: one, or several with training between them. Each is made once and kept."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate, feeds
from compress.encoders import checkpoint
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError, Problem
from compress.pruning.gradual import after
from compress.pruning.rearrange import rearrange
from compress.pruning.refit import refit
from compress.pruning.scores import Scores, unit_gradients, unit_scores
from compress.pruning.search import Choice, choose
from compress.pruning.shares import missed, refusal
from compress.quantization import Feeds
from compress.stages.budget import Aim, Cutting, aimed
from compress.stages.context import Context
from compress.stages.lesson import Reader
from compress.stages.material import called, encoded
from compress.store import seal
from compress.training import checkpoints
from compress.training.devices import first_alone

BATCH = 32
_CALIBRATION_BATCH = 8
_CALIBRATION_ROWS = settings.Export.model_fields["calibration_rows"].default
_KINDS = ("heads", "neurons")


class Cuts:
    """The way of a student from all its heads and neurons to those that were asked for, in `asked.steps` cuts."""

    def __init__(
        self,
        before: PreTrainedModel,
        own: Reader,
        task: settings.Task,
        asked: settings.Prune,
        key: str,
        context: Context,
    ) -> None:
        """Of the student as it was before anything was made smaller, and as it is; `key` is where `asked` stands."""
        self.before, self.own = before, own
        self.task, self.asked, self.key = task, asked, key
        self.context = context
        self.made = 0
        """Cuts that were made."""
        self.student = own.model
        """As the last cut left it, and what trained it since."""
        self.target: dict[str, Any] | None = None
        """What the last cut reached of a target."""

    @property
    def left(self) -> int:
        """Cuts that are still to be made."""
        return self.asked.steps - self.made

    def again(self, student: PreTrainedModel) -> PreTrainedModel:
        """The student after one more cut.

        The first of several processes decides for all, since what is decided may rest on measured times, and once: the
        cut student lies in the work folder, from where a run that was stopped goes on with it.
        Raises: InputError, at the first cut, if what can be cut misses the asked shares by more than rounding does, or
        if the target is out of reach
        """
        self.made += 1
        folder = self.context.work / f"cut-{self.made}"
        with first_alone():
            if seal.kept(folder / checkpoints.SEAL, self.context.notify) is None:
                shutil.rmtree(folder, ignore_errors=True)
                smaller, target = self._cut(student)
                checkpoint.save(smaller, folder)
                checkpoints.seal(folder, {"target": target})
        self.student, self.target = checkpoint.load(folder), seal.content(folder / checkpoints.SEAL)["target"]
        return self.student

    def _cut(self, student: PreTrainedModel) -> tuple[PreTrainedModel, dict[str, Any] | None]:
        """The smaller student, and what it reached of a target."""
        asked, context = self.asked, self._told()
        context.notify(0, 1, f"scoring heads and neurons by {asked.importance}")
        scores = unit_scores(student, self.batches, asked.importance, seed=context.seed)
        target = None
        if asked.target is not None:
            length = float(self.rows.lengths.mean())
            aim = Aim(asked, partial(_calibration, self.rows), length, f"{self.key}.target", self.made)
            choice, target = aimed(Cutting(self.before, self.own.model, student), scores, aim, context)
        else:
            if self.made == 1:
                self._check(scores)
            choice = self._chosen(scores, self.made)
        if asked.rearrange:
            found = unit_gradients(student, self.batches)
            choice = Choice(*(tuple(map(rearrange, *pair)) for pair in zip(found, choice, strict=True)))
        smaller = cut(student, Masks(*choice))
        if asked.refit:
            refit(
                smaller, student, self.batches, told=lambda done, total: context.notify(done, total, "fitting layers")
            )
        return smaller, target

    def _chosen(self, scores: Scores, step: int) -> Choice:
        """The units that stay after a step; shares are of all units that the uncut student has."""
        whole, shares = Masks.full(self.own.model), {}
        for kind in _KINDS:
            units, now = (sum(map(len, getattr(each, kind))) for each in (whole, scores))
            removed = after(step, self.asked.steps, 0.0, getattr(self.asked, kind))
            # Rounding may have taken more than its share before.
            shares[kind] = removed if now == units else max(0.0, 1 - (1 - removed) * units / now)
        return choose(scores.heads, scores.neurons, **shares, multiple=self.asked.multiple)

    def _check(self, scores: Scores) -> None:
        """Raises: InputError if the asked shares and those that can be removed lie further apart than rounding explains."""
        final, faults = self._chosen(scores, self.asked.steps), []
        for kind in _KINDS:
            masks, wanted = getattr(final, kind), getattr(self.asked, kind)
            units = sum(map(len, masks))
            removed = 1 - sum(int(mask.sum()) for mask in masks) / units
            if missed(wanted, removed, units):
                faults.append(Problem(f"{self.key}.{kind}", refusal(kind, wanted, removed, self.asked.multiple)))
        if faults:
            raise InputError(faults)

    def _told(self) -> Context:
        """The context, whose progress says which of several cuts it is of."""
        if self.asked.steps == 1:
            return self.context
        which = f"cut {self.made} of {self.asked.steps}"
        return replace(
            self.context, notify=lambda done, total, note: self.context.notify(done, total, f"{which}: {note}")
        )

    @cached_property
    def rows(self) -> Encoded:
        """The training rows."""
        student, tokenizer = self.own
        return encoded("train", self.task, self.context.root, tokenizer, student, called(self.context))

    @cached_property
    def batches(self) -> list[dict[str, Tensor]]:
        """Some of the rows, by chance and the same for every cut; rows of like length come together: half the time."""
        rows, generator = self.rows, torch.Generator().manual_seed(self.context.seed)
        order = torch.randperm(len(rows), generator=generator)[: self.asked.rows].tolist()
        order.sort(key=rows.lengths.tolist().__getitem__)
        return [
            collate([rows[row] for row in order[begin : begin + BATCH]], rows.pad_id, left=rows.left)
            for begin in range(0, len(order), BATCH)
        ]


def _calibration(rows: Encoded) -> Iterator[Feeds]:
    """Batches for a recipe that needs them, as many as an export takes."""
    return (feed for _, feed in feeds(rows, _CALIBRATION_BATCH, limit=_CALIBRATION_ROWS))
