"""The teachers' answers on all training rows, found once and kept on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.data.sources import Rows
from compress.errors import InputError
from compress.losses import Reads
from compress.registry import LOSSES
from compress.store import seal
from compress.training.devices import first_alone, place
from compress.training.history import Notify, quiet
from compress.training.precision import chosen, repeatable
from compress.training.predictions import SIZE, logits

PART = 32
"""Batches that are saved together while the answers are computed: an interruption loses no more."""

CALLED = 64
"""Rows that a program is asked for at once, and saved together."""

Voice = Callable[[], Tensor]
"""Gives a teacher's logits on all training rows: (rows, classes) fp32 on the processor."""


def worth_caching(trainings: Sequence[Distill]) -> bool:
    """Whether storing the teacher's logits saves time: where nothing else of it is read, in two passes or more."""
    return sum(training.epochs for training in trainings if reads(training) == {"logits"}) >= 2


def reads(training: Distill) -> set[Reads]:
    """What the losses of a training compare with the teacher's."""
    return {LOSSES.load(name).reads for name in training.losses} - {"labels"}


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

    def ask(batches: slice) -> tuple[NDArray[np.int64], Tensor]:
        before, exact = teacher.device, chosen(precision, here.device)
        try:
            teacher.to(here.device)
            with repeatable(here.device, exact):
                return logits(teacher, rows, device=teacher.device, precision=exact, batches=batches)
        finally:
            teacher.to(before)  # type: ignore[arg-type]

    shape = len(rows), int(teacher.config.num_labels or 0)
    return _kept(folder / f"{key}.safetensors", shape, SIZE, PART, ask, notify)


def called_logits(
    answer: Callable[[list[str], list[str] | None, list[str]], Any],
    rows: Rows,
    labels: list[str],
    folder: Path,
    key: str,
    notify: Notify = quiet,
) -> Tensor:
    """The logits that a program gives for all rows, `CALLED` at a time, kept as `cached_logits` keeps a model's.

    It is called with texts, with the second texts of pairs or None, and with the names of the labels, and gives an array
    (texts, labels) of finite numbers.
    Shapes: (rows, labels) fp32 on the processor
    Raises: InputError if it gives something else; whatever it raises
    """

    def ask(batches: slice) -> tuple[NDArray[np.int64], Tensor]:
        span = slice(batches.start * CALLED, min(batches.stop * CALLED, len(rows)))
        texts, pairs = rows.texts[span], None if rows.pairs is None else rows.pairs[span]
        try:
            found = np.asarray(answer(texts, pairs, labels), np.float32)
        except (TypeError, ValueError) as error:
            what = f"its answers to rows {span.start} to {span.stop - 1} are no numbers: {error}"
            raise InputError(f"{key}: {what}") from error
        if found.shape != (len(texts), len(labels)) or not np.isfinite(found).all():
            raise InputError(
                f"{key}: its answers to rows {span.start} to {span.stop - 1} have the shape {found.shape}. It gives an "
                f"array of finite numbers, ({len(texts)}, {len(labels)}): a row for each text, a logit for each label."
            )
        return np.arange(span.start, span.stop), torch.from_numpy(found.copy())

    return _kept(folder / f"{key}.safetensors", (len(rows), len(labels)), CALLED, 1, ask, notify)


def averaged(weights: Mapping[str, float], voices: Mapping[str, Voice]) -> Tensor:
    """The weighted average of teachers' logits; the weights are divided by their sum.

    At every temperature its softened answers are the weighted geometric mean of the teachers', scaled to sum up to 1.

    Shapes: each voice (rows, classes) -> (rows, classes) fp32
    Source: Hinton et al. 2015, arXiv:1503.02531, section 1 (ensembles as teachers)
    Raises: InputError if the teachers do not answer the same rows and labels
    """
    found = {name: voices[name]() for name in weights}
    if len({answers.shape for answers in found.values()}) > 1:
        told = ", ".join(f"{name} {tuple(answers.shape)}" for name, answers in found.items())
        raise InputError(f"the teachers' logits are of different rows or labels: {told}.")
    whole = sum(weights.values())
    return torch.stack([answers * (weights[name] / whole) for name, answers in found.items()]).sum(0)


def _kept(
    path: Path,
    shape: tuple[int, int],
    size: int,
    part: int,
    ask: Callable[[slice], tuple[NDArray[np.int64], Tensor]],
    notify: Notify,
) -> Tensor:
    """The answers in a file; if it is not there, asked for `part` batches of `size` rows at a time, each part saved."""
    with first_alone():
        stored = _read(path, notify)
        if stored is None or stored["logits"].shape != shape:
            stored = {"logits": _compute(path, shape, range(0, -(-shape[0] // size), part), ask, notify)}
    return stored["logits"]


def _compute(
    path: Path,
    shape: tuple[int, int],
    parts: range,
    ask: Callable[[slice], tuple[NDArray[np.int64], Tensor]],
    notify: Notify,
) -> Tensor:
    """Compute the answers part by part, write them as one file, and remove the parts."""
    answers, done = torch.empty(shape), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    for start in parts:
        part_path = path.with_suffix(f".part-{start}")
        part = _read(part_path, notify)
        if part is None:
            chosen_rows, found = ask(slice(start, start + parts.step))
            part = {"rows": torch.from_numpy(chosen_rows), "logits": found}
            _write(part_path, part)
        answers[part["rows"]] = part["logits"]
        done += len(part["rows"])
        notify(done, shape[0], f"the {path.stem.replace('-', ' ', 1)} answers the training rows")
    _write(path, {"logits": answers})
    for part_path in path.parent.glob(f"{path.stem}.part-*"):
        part_path.unlink()
    return answers


def _read(path: Path, notify: Notify) -> dict[str, Tensor] | None:
    """The tensors of a file; None if it is not there or is damaged, which is told."""
    return None if seal.kept(_seal(path), notify) is None else safetensors.torch.load_file(path)


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors; what is half-written has no seal and is never read."""
    _seal(path).unlink(missing_ok=True)
    safetensors.torch.save_file(tensors, path)
    seal.write(_seal(path), {"files": seal.facts(path.parent, [path.name])})


def _seal(path: Path) -> Path:
    return path.with_name(f"{path.name}{seal.SUFFIX}")
