"""The rows of a lesson: as the student reads them, and as its teacher does, whose tokens may be others."""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress.config import settings
from compress.data import pieces
from compress.data.batches import Encoded
from compress.encoders.families import family_of
from compress.errors import InputError, Problem
from compress.losses import PREDICTIONS
from compress.pruning.vocabulary import entry_of
from compress.registry import LOSSES
from compress.stages.context import Context
from compress.stages.material import called, check_reach, encoded


class Reader(NamedTuple):
    """A model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Lesson(NamedTuple):
    """What a student is trained on."""

    rows: Encoded
    """The training rows as the student reads them."""
    validation: Encoded
    """The rows watched, as the student reads them."""
    heard: Encoded | None = None
    """The training rows as the teacher reads them, if otherwise: what stored answers of it are computed on."""
    translate: Tensor | None = None
    """The teacher's number of each of the student's tokens, if otherwise and if it reads the student's batches."""


def lesson(
    task: settings.Task, student: Reader, teacher: Reader, distill: settings.Distill, context: Context
) -> Lesson:
    """The rows for a student that learns from a teacher.

    A teacher of the same tokens reads the student's rows. If its tokens are others, it answers its own rows where only
    answers are compared. Where the inside of the two is compared, their tokens must stand side by side: the teacher then
    reads the student's tokens, by its own numbers, which it must have.
    Raises: InputError if it does not have them all; as `encoded`
    """
    check_reach(teacher.model, task, "the teacher")
    reads = {key: LOSSES.load(name).reads for key, name in distill.named.items()}
    inner = [key for key in reads if reads[key] not in PREDICTIONS]
    same = student.tokenizer.get_vocab() == teacher.tokenizer.get_vocab()
    models = (student.model, teacher.model) if same or inner else (student.model,)
    types = any("token_type_ids" in family_of(model).inputs for model in models)
    rows = _encoded("train", task, student, types, context)
    validation = _encoded("validation", task, student, types, context)
    if same or not {*reads.values()} - {"labels"}:
        return Lesson(rows, validation)
    if not inner:
        own = encoded("train", task, context.root, teacher.tokenizer, teacher.model, "the teacher")
        return Lesson(rows, validation, heard=own)
    numbers = pieces.translation(entry_of(student.tokenizer), entry_of(teacher.tokenizer))
    if numbers is None:
        place = f"students.{context.name.partition('/')[2]}.distill"
        raise InputError([Problem(f"{place}.{key}", pieces.foreign(predictions())) for key in inner])
    table = torch.tensor(numbers)
    heard = replace(rows, ids=table.numpy()[rows.ids].astype(np.int32), pad_id=int(table[rows.pad_id]))
    return Lesson(rows, validation, heard, table)


def _encoded(
    split: Literal["train", "validation"], task: settings.Task, student: Reader, types: bool, context: Context
) -> Encoded:
    return encoded(split, task, context.root, student.tokenizer, student.model, called(context), types=types)


def predictions() -> list[str]:
    """The losses that compare nothing but answers."""
    return [name for name in LOSSES.names() if LOSSES.load(name).reads in PREDICTIONS]
