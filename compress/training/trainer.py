"""The training loop of teachers, students and recovery: transformers' Trainer, made repeatable, resumable and fast."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import PrinterCallback, TrainerState
from transformers.utils import logging

from compress import interruption
from compress.config import settings
from compress.data.batches import Encoded, collate
from compress.encoders.processor import quick
from compress.errors import InputError, NotAvailable, TrainingFailed
from compress.training import checkpoints, precision
from compress.training.compact import compacted
from compress.training.devices import cpu_only, first_alone
from compress.training.grouping import LengthGroups
from compress.training.history import History, Session
from compress.training.predictions import Judged, judged
from compress.training.progress import Progress

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
WEIGHTS = "model.safetensors"
_NAMED = 8
"""Rows of a batch that a message names."""


def train(module: nn.Module, rows: Encoded, validation: Encoded, settings: settings.Train, session: Session) -> History:
    """Train a module in place, and leave it in eval mode on the device it was on.

    `module(**batch)` gives a mapping with `loss`, `logits` and, if its loss has some, `parts`; in eval mode `logits`
    will do. It may take `index`, the numbers of the batch's rows, and have `advance`, which is
    told before each step how far the training is (0 at the first step, 1 at the last), and `scheduled`, numbers to record at
    the end of each epoch. A transformers model with a head is such a module.
    Started again with the same work folder, a training goes on from its last complete checkpoint and ends with the
    weights it would have had, bit for bit on a processor. Asked to stop, a process that trains alone ends its step and
    saves a checkpoint.
    Raises: TrainingFailed if the loss or the weights are no numbers any more; InputError if there are no rows or a
    batch does not divide over the devices; NotAvailable if TensorBoard is asked for and not installed.
    """
    for name, part in (("training", rows), ("validation", validation)):
        if not len(part):
            raise InputError(f"there are no {name} rows.")
    verbosity, before = logging.get_verbosity(), next(module.parameters()).device
    try:
        parts = (module, *(getattr(module, name, None) for name in ("student", "teacher")))
        with compacted(module, (rows, validation)), quick(*parts):
            loop = _Loop(module, rows, validation, settings, session)
            with precision.repeatable(loop.args.device, loop.precision):
                return loop.run()
    finally:
        logging.set_verbosity(verbosity)
        module.to(before).eval()


class _Loop(Trainer):
    """The one subclass of transformers' Trainer."""

    def __init__(
        self, module: nn.Module, rows: Encoded, validation: Encoded, train: settings.Train, session: Session
    ) -> None:
        arguments = _arguments(train, session)
        devices, device = arguments.world_size, arguments.process_index
        if train.batch_size % devices:
            raise InputError(f"batch_size: {train.batch_size} rows do not divide over {devices} devices.")
        self.groups = LengthGroups(rows.lengths, train.batch_size, session.seed, devices=devices, device=device)
        self.steps = math.ceil(train.epochs * len(self.groups))
        arguments.per_device_train_batch_size = train.batch_size // devices
        arguments.warmup_steps = math.ceil(train.warmup * self.steps)
        super().__init__(model=module, args=arguments)
        self.module, self.work = module, session.work
        self.rows, self.validation = rows, validation
        self.answered: list[Judged] = []
        self.indexed = "index" in inspect.signature(module.forward).parameters
        self.advance: Callable[[float], None] | None = getattr(module, "advance", None)
        self.smoothing = train.label_smoothing if isinstance(module, PreTrainedModel) else 0.0
        self.precision = precision.chosen(train.precision, self.args.device)
        self.key = _key(module, rows, train, session.seed, self.precision, devices)
        self.progress = Progress(self.groups, self.steps, train.checkpoint_steps, session.notify)
        self.remove_callback(PrinterCallback)
        self.add_callback(self.progress)
        if session.tensorboard is not None and self.args.process_index == 0:
            self.add_callback(_tensorboard(session.tensorboard))

    def run(self) -> History:
        """Train to the end, from the last complete checkpoint if there is one."""
        with first_alone():
            found = checkpoints.latest(self.work, self.key, self.progress.notify)
            if self.args.should_save:
                checkpoints.keep_only(self.work, found[0] if found else None)
        # Several processes get the signal at different steps, and could not save together.
        with interruption.deferred() if self.args.world_size == 1 else nullcontext():
            if found:
                self.go_on(*found)
            if self.state.global_step < self.steps:
                self.train(resume_from_checkpoint=str(found[0]) if found else None)
        self.check_weights()
        seen, tokens = self.groups.seen(self.steps)
        spent, devices = self.progress.seconds, self.args.world_size
        notes = self.collapse()
        return History(self.steps, seen, tokens, spent, self.precision, devices, self.progress.epochs, notes=notes)

    def go_on(self, checkpoint: Path, seal: dict[str, Any]) -> None:
        """Take up what a checkpoint says of the training; validate, if it was stopped before an epoch could be closed."""
        self.progress.restore(seal["progress"])
        self.state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        if self.progress.open and self.progress.ends(self.state.global_step):
            self._load_from_checkpoint(str(checkpoint))
            self.tell(self.state.global_step - 1)
            self.evaluate()

    def tell(self, done: int) -> None:
        """Tell the module how far the training is after so many steps."""
        if self.advance is not None:
            self.advance(done / max(self.steps - 1, 1))

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Length-grouped batches, with the rows' numbers if the module takes them."""
        return DataLoader(
            _Numbered(self.rows),  # type: ignore[arg-type]
            batch_sampler=self.groups,
            collate_fn=self.batch,
            pin_memory=self.args.dataloader_pin_memory,
            # Its own generator keeps the loader from drawing on the one that dropout uses.
            generator=torch.Generator(),
        )

    def batch(self, features: list[tuple[int, dict[str, Any]]]) -> dict[str, Tensor]:
        """One batch of numbered rows."""
        made = collate([row for _, row in features], self.rows.pad_id, left=self.rows.left)
        if self.indexed:
            made["index"] = torch.tensor([number for number, _ in features])
        return made

    def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> torch.autocast:
        """The chosen precision for all that `compute_loss` calls; accelerate's own would stay on the module for good."""
        return precision.autocast(self.args.device, self.precision)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The module's loss, or the smoothed cross-entropy of a transformers model.

        Raises: TrainingFailed if it is not finite, before the weights are changed by it.
        """
        self.tell(self.state.global_step)
        labels = inputs.pop("labels") if self.smoothing else None
        outputs = model(**inputs)
        if labels is None:
            loss = outputs["loss"]
        else:
            loss = functional.cross_entropy(outputs["logits"].float(), labels, label_smoothing=self.smoothing)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingFailed(self.failure(f"the loss became {value}"))
        self.progress.add(value, outputs.get("parts", {}))
        return (loss, outputs) if return_outputs else loss

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """Raises: TrainingFailed if a gradient is not finite, before the weights are changed by it."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if not math.isfinite(norm):
            raise TrainingFailed(self.failure(f"a gradient became {'nan' if math.isnan(norm) else 'infinite'}"))
        return norm

    def evaluate(self, *_args: Any, **_kwargs: Any) -> dict[str, float]:
        """Close an epoch with the share of validation rows whose label is right; each device takes a part of them."""
        devices = self.args.world_size
        part = slice(self.args.process_index, None, devices)
        try:
            found = judged(
                self.module, self.validation, device=self.args.device, precision=self.precision, batches=part
            )
        except KeyboardInterrupt:
            if devices == 1 and self.optimizer is not None:
                self._save_checkpoint(self.module, None)
            raise
        parts, means = [found], self.progress.means()
        if devices > 1:
            parts = gather_object([found])
            totals = self.accelerator.reduce(torch.tensor([*means.values()], device=self.args.device))
            means = {name: float(total) / devices for name, total in zip(means, totals, strict=True)}
        self.answered = [one for one in parts if one is not None]
        accuracy = sum(one.right for one in self.answered) / len(self.validation)
        self.progress.close(self.state.epoch or 0.0, means, accuracy, getattr(self.module, "scheduled", {}))
        metrics = {"eval_accuracy": accuracy}
        self.log(dict(metrics))
        return metrics

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: it would go through all parameters in every step."""
        return 0

    def collapse(self) -> list[str]:
        """What is to be said if every validation row gets the same answer at the end, though their labels differ."""
        answers = {answer for one in self.answered for answer in (one.lowest, one.highest)}
        labels = np.unique(self.validation.labels)
        if len(answers) > 1 or len(labels) < 2:
            return []
        (answer,) = answers
        named = getattr(getattr(self.module, "student", self.module), "config", None)
        label = getattr(named, "id2label", {}).get(answer, answer)
        return [
            f"collapsed: all {len(self.validation):,} validation rows get the answer {label}, of {len(labels)} labels "
            "that they have"
        ]

    def check_weights(self) -> None:
        """Raises: TrainingFailed if a weight is no number any more."""
        for name, weight in self.module.named_parameters():
            if not bool(weight.isfinite().all()):
                raise TrainingFailed(self.failure(f"{name} was no number any more", done=self.state.global_step))

    def failure(self, what: str, done: int | None = None) -> str:
        """The sentence for numbers that went wrong in the running step, or after `done` steps, and what is left."""
        if done is None:
            rows = self.groups.rows(self.state.global_step)
            batch = ", ".join(str(self.rows.number(int(row))) for row in rows[:_NAMED])
            more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
            when = f"at step {self.state.global_step + 1} of {self.steps}, on the rows {batch}{more} (the first is 0)"
        else:
            when = f"after step {done} of {self.steps}"
        found = checkpoints.latest(self.work, self.key)
        last = f"The last good checkpoint is {found[0]}." if found else "There is no earlier checkpoint."
        advice = "Lower `learning_rate`, raise `warmup`, or train with `precision: fp32`."
        return f"{what} {when}, in {self.precision}. {last} {advice}"

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self.check_weights()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            folder = self.work / f"checkpoint-{self.state.global_step}"
            checkpoints.seal(folder, {"key": self.key, "progress": self.progress.state()})
            checkpoints.keep_only(self.work, folder)
            if interruption.asked():
                raise KeyboardInterrupt

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        if state_dict is not None:  # gathered from several devices
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            folder = Path(output_dir or self.work)
            folder.mkdir(parents=True, exist_ok=True)
            safetensors.torch.save_model(self.module, str(folder / WEIGHTS))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:  # strictly: a weight that is missing would silently stay as it was
            safetensors.torch.load_model(self.module, Path(resume_from_checkpoint) / WEIGHTS)


class _Numbered:
    """Rows together with their numbers."""

    def __init__(self, rows: Encoded) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[int, dict[str, Any]]:
        return self.rows.number(number), self.rows[number]


def _arguments(train: settings.Train, session: Session) -> TrainingArguments:
    made = TrainingArguments(
        output_dir=str(session.work),
        use_cpu=cpu_only(),
        seed=session.seed,
        num_train_epochs=train.epochs,
        learning_rate=train.learning_rate,
        lr_scheduler_type=SCHEDULES[train.schedule],
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        optim="adamw_torch_fused",
        # When to validate and to save is decided by `Progress`, what is not a number is found by `compute_loss`.
        eval_strategy="no",
        save_strategy="no",
        logging_nan_inf_filter=False,
        logging_strategy="no" if session.tensorboard is None else "steps",
        logging_steps=10,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        log_level_replica="error",
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    # Several devices are for `accelerate launch`; the Trainer would otherwise spread one process over them.
    made._n_gpu = min(made.n_gpu, 1)
    return made


def _key(module: nn.Module, rows: Encoded, train: settings.Train, seed: int, arithmetic: str, devices: int) -> str:
    """What makes two trainings the same one."""
    digest = hashlib.sha256(rows.ids.tobytes() + rows.starts.tobytes() + rows.labels.tobytes())
    weights = {name: list(weight.shape) for name, weight in module.state_dict().items()}
    told = train.model_dump(mode="json", exclude={"checkpoint_steps"})
    digest.update(json.dumps([told, seed, arithmetic, devices, weights]).encode())
    return digest.hexdigest()


def _tensorboard(folder: Path) -> TrainerCallback:
    try:
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations.integration_utils import TensorBoardCallback
    except ImportError as error:
        raise NotAvailable(f"TensorBoard is not installed: `pip install tensorboard`. ({error})") from error
    return TensorBoardCallback(SummaryWriter(str(folder)))  # type: ignore[no-untyped-call]
