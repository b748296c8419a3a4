"""The teacher's answers on all training rows, computed once and kept on disk."""

import os
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedModel

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.files import flush
from compress.registry import LOSSES
from compress.training.devices import first_alone, place
from compress.training.history import Notify, quiet
from compress.training.precision import Precision, chosen, repeatable
from compress.training.predictions import SIZE, logits

PART = 32
"""Batches that are saved together while the answers are computed: an interruption loses no more."""


def worth_caching(settings: Distill) -> bool:
    """Whether storing the teacher's logits saves time: nothing else of it is read, and in two passes or more."""
    reads = {LOSSES.load(name).reads for name in settings.losses}
    return "logits" in reads and reads <= {"logits", "labels"} and settings.epochs >= 2


def cached_logits(
    teacher: PreTrainedModel,
    rows: Encoded,
    folder: Path,
    key: str,
    notify: Notify = quiet,
    *,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> Tensor:
    """The teacher's logits on all rows: read from `KEY.safetensors` in the folder, or else computed and written there.

    The key stands for all that they depend on: the teacher's weights, the rows, the precision. What was computed
    before an interruption is not computed again. `notify` is told of rows.

    Shapes: (rows, classes) fp32 on the processor
    """
    here = place()
    with first_alone():
        path = folder / f"{key}.safetensors"
        stored = _read(path)
        if stored is None or len(stored["logits"]) != len(rows):
            before, exact = teacher.device, chosen(precision, here.device)
            try:
                teacher.to(here.device)
                with repeatable(here.device, exact):
                    stored = _compute(teacher, rows, path, notify, exact)
            finally:
                teacher.to(before)  # type: ignore[arg-type]
    return stored["logits"]


def _compute(
    teacher: PreTrainedModel, rows: Encoded, path: Path, notify: Notify, precision: Precision
) -> dict[str, Tensor]:
    """Compute the answers part by part, write them as one file, and remove the parts."""
    answers = torch.empty(len(rows), int(teacher.config.num_labels or 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    done, batches = 0, -(-len(rows) // SIZE)
    for start in range(0, batches, PART):
        part_path = path.with_suffix(f".part-{start}")
        part = _read(part_path)
        if part is None:
            chosen_rows, found = logits(
                teacher, rows, device=teacher.device, precision=precision, batches=slice(start, start + PART)
            )
            part = {"rows": torch.from_numpy(chosen_rows), "logits": found}
            _write(part_path, part)
        answers[part["rows"]] = part["logits"]
        done += len(part["rows"])
        notify(done, len(rows), "the teacher answers the training rows")
    _write(path, {"logits": answers})
    for part_path in path.parent.glob(f"{path.stem}.part-*"):
        part_path.unlink()
    return {"logits": answers}


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file; None if it is not there or is damaged."""
    try:
        return safetensors.torch.load_file(path) if path.is_file() else None
    except SafetensorError:
        return None


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors so that a reader sees all of them or none."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        safetensors.torch.save_file(tensors, half)
        flush(half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
