"""Distil the teacher into a student."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate
from compress.encoders import checkpoint, source
from compress.encoders.families import calls, configured, shape_of
from compress.encoders.initialize import first_weights
from compress.encoders.start import evenly
from compress.stages.context import Context
from compress.stages.learn import learn
from compress.stages.lesson import Reader, lesson
from compress.stages.material import called, check_reach, labels_of, tokenizer_of, write
from compress.stages.voices import voices

_START_ROWS = 1024
_START_BATCH = 64


class Settings(NamedTuple):
    """What the student is and how it learns."""

    task: settings.Task
    student: settings.Student
    teachers: Mapping[str, settings.FurtherTeacher] = MappingProxyType({})


class Needs(NamedTuple):
    """The fine-tuned teacher, and further ones by the steps that made them."""

    teacher: Path
    teachers: Mapping[str, Path] = MappingProxyType({})


def distill(settings: Settings, needs: Needs, context: Context) -> None:
    """Give a student its first weights and train it on the losses between it and its teacher.

    Writes a model folder with its tokenizer and `history.json`.
    """
    task = settings.task
    teacher, tokenizer = checkpoint.load(needs.teacher), tokenizer_of(needs.teacher)
    own = None if settings.student.model is None else _pretrained(settings.student.model, task, teacher, context)
    reader, learning = own or Reader(teacher, tokenizer), settings.student.distill
    read = lesson(task, reader, Reader(teacher, tokenizer), learning, context)
    others = voices(learning, settings.teachers, needs.teachers, task, labels_of(teacher), context)
    student = own.model if own else _start(settings.student, teacher, read.rows, context)
    taught = partial(learn, heard=read.heard, translate=read.translate)
    history = taught(student, teacher, read.rows, read.validation, learning, context, others)
    write(context.out, student, reader.tokenizer, history)


def _start(student: settings.Student, teacher: PreTrainedModel, rows: Encoded, context: Context) -> PreTrainedModel:
    """The student with its first weights, made from its teacher's."""
    torch.manual_seed(context.seed)
    deep = calls(teacher.config)
    layers = student.start_layers or evenly(student.architecture.layers or deep, deep)
    config = configured(teacher.config, student.architecture, None if student.start == "random" else layers)
    made: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    own, whole = shape_of(config), shape_of(teacher.config)
    same = (own.hidden, own.heads[0], own.intermediate[0]) == (whole.hidden, whole.heads[0], whole.intermediate[0])
    start = student.start if student.start != "auto" else "layers" if same else "pca"
    first_weights(made, teacher, start=start, layers=layers, batches=_batches(rows, context.seed))
    return made


def _pretrained(model: settings.Model, task: settings.Task, teacher: PreTrainedModel, context: Context) -> Reader:
    """A student with weights and a tokenizer of its own."""
    folder = source.fetch(source.locate(model, context.root))
    torch.manual_seed(context.seed)
    student = checkpoint.load_encoder(folder, labels=labels_of(teacher))
    check_reach(student, task, called(context))
    return Reader(student, tokenizer_of(folder))


def _batches(rows: Encoded, seed: int) -> Iterator[dict[str, Tensor]]:
    """Training rows in a random order, for the statistics that first weights are made from."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_START_ROWS].tolist()
    for begin in range(0, len(order), _START_BATCH):
        yield collate([rows[row] for row in order[begin : begin + _START_BATCH]], rows.pad_id)
