"""The rows of a lesson: as the student reads them, and as its teacher does, whose tokens may be others."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress.config import settings
from compress.data import pieces, sources
from compress.data.batches import Encoded, encode
from compress.encoders.families import family_of
from compress.encoders.family import apart
from compress.errors import InputError, Problem
from compress.losses import PREDICTIONS
from compress.pruning.vocabulary import entry_of
from compress.registry import LOSSES
from compress.stages.context import Context
from compress.stages.material import called, check_reach
from compress.stages.transfer import Transfer


class Reader(NamedTuple):
    """A model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Lesson(NamedTuple):
    """What a student is trained on."""

    rows: Encoded
    """The rows it learns from, as it reads them."""
    validation: Encoded
    """The rows watched, as it reads them."""
    parts: Mapping[settings.Origin, range] = MappingProxyType({})
    """Which of the rows come from where, for trainings that ask for some of them."""
    heard: Encoded | None = None
    """The rows as the teacher reads them, if otherwise: what stored answers of it are computed on."""
    translate: Tensor | None = None
    """The teacher's number of each of the student's tokens, if otherwise and if it reads the student's batches."""


def lesson(
    task: settings.Task,
    learned: Transfer,
    student: Reader,
    teacher: Reader,
    distill: settings.Distill,
    context: Context,
) -> Lesson:
    """The rows for a student that learns from a teacher.

    A teacher of the same tokens, and of the same side of padding, reads the student's rows. Otherwise it answers its own
    rows where only answers are compared. Where the inside of the two is compared, their tokens must stand side by side: the teacher then
    reads the student's tokens, by its own numbers, which it must have.
    Raises: InputError if it does not have them all, or if its rows are padded on the other side; as `encoded`
    """
    check_reach(teacher.model, task, "the teacher")
    reads = {key: LOSSES.load(name).reads for key, name in distill.named.items()}
    inner = [key for key in reads if reads[key] not in PREDICTIONS]
    left, right = (family_of(reader.model).reads_last for reader in (student, teacher))
    same = student.tokenizer.get_vocab() == teacher.tokenizer.get_vocab() and left == right
    models = (student.model, teacher.model) if same or inner else (student.model,)
    types = any("token_type_ids" in family_of(model).inputs for model in models)
    check_reach(student.model, task, called(context))
    if inner and left != right:
        what = apart(family_of(student.model), family_of(teacher.model))
        raise InputError([Problem(f"{_place(context)}.{key}", what) for key in inner])
    rows = encode(learned.rows, student.tokenizer, task, token_types=types, left=left)
    watched = sources.load(task, context.root, "validation")
    whole = Lesson(rows, encode(watched, student.tokenizer, task, token_types=types, left=left), learned.parts)
    if same or not {*reads.values()} - {"labels"}:
        return whole
    if not inner:
        types = "token_type_ids" in family_of(teacher.model).inputs
        return whole._replace(heard=encode(learned.rows, teacher.tokenizer, task, token_types=types, left=right))
    numbers = pieces.translation(entry_of(student.tokenizer), entry_of(teacher.tokenizer))
    if numbers is None:
        place = _place(context)
        raise InputError([Problem(f"{place}.{key}", pieces.foreign(predictions())) for key in inner])
    table = torch.tensor(numbers)
    heard = replace(rows, ids=table.numpy()[rows.ids].astype(np.int32), pad_id=int(table[rows.pad_id]))
    return whole._replace(heard=heard, translate=table)


def _place(context: Context) -> str:
    """Where the pipeline says what the student of this stage learns."""
    return f"students.{context.name.partition('/')[2]}.distill"


def predictions() -> list[str]:
    """The losses that compare nothing but answers."""
    return [name for name in LOSSES.names() if LOSSES.load(name).reads in PREDICTIONS]
