"""What further teachers say of the training rows: models of any family, files of answers, programs."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from compress.config import settings
from compress.data import answers
from compress.data.batches import encode
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.encoders.families import family_of
from compress.errors import InputError, Problem
from compress.registry import TEACHERS
from compress.stages.context import Context
from compress.stages.material import tokenizer_of
from compress.stages.transfer import Transfer
from compress.training.teacher_cache import Voice, cached_logits, called_logits


def voices(
    distill: settings.Distill,
    teachers: Mapping[str, settings.FurtherTeacher],
    folders: Mapping[str, Path],
    task: settings.Task,
    learned: Transfer,
    labels: list[str],
    context: Context,
) -> dict[str, Voice]:
    """For each further teacher that a student learns from, what gives its logits on the rows it is trained on.

    Nothing is asked of them yet, but files are read and programs found. `folders` are those of
    the steps that fine-tuned the models, by the step's name. A file of answers knows the training rows only: it gives no
    number for the others, which no training that reads it has.
    Raises: InputError with all that does not fit
    """
    if not distill.advisers:
        return {}
    rows, found = learned.rows, dict[str, Voice]()
    problems: list[Problem] = []
    for name in distill.advisers:
        given, key = teachers[name], f"teacher-{name}"
        try:
            if given.predictions is not None:
                own = learned.parts["train"]
                logits = torch.full((len(rows), len(labels)), torch.nan)
                logits[own.start : own.stop] = torch.tensor(
                    answers.load(given.predictions, context.root, labels, len(own)), dtype=logits.dtype
                )
                found[name] = partial(torch.clone, logits)
            elif given.call is not None:
                program: Callable[..., Any] = TEACHERS.load(given.call)
                found[name] = cache(partial(called_logits, program, rows, labels, context.work, key, context.notify))
            else:
                folder = folders[f"teachers/{name}"]
                found[name] = cache(partial(_answers, folder, key, rows, task, distill.precision, context))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _answers(
    folder: Path,
    key: str,
    rows: Rows,
    task: settings.Task,
    precision: Literal["auto", "fp32", "bf16"],
    context: Context,
) -> Tensor:
    """The logits of a model, which reads the rows by its own tokenizer."""
    model, tokenizer = checkpoint.load(folder), tokenizer_of(folder)
    row = family_of(model)
    encoded = encode(rows, tokenizer, task, token_types="token_type_ids" in row.inputs, left=row.reads_last)
    return cached_logits(model, encoded, context.work, key, context.notify, precision=precision)
