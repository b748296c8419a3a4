"""Distil the teacher into a student."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate
from compress.encoders import checkpoint, source
from compress.encoders.initialize import first_weights
from compress.encoders.widths import calls, configured, shape_of
from compress.stages.context import Context
from compress.stages.learn import learn
from compress.stages.lesson import Reader, lesson
from compress.stages.material import called, check_reach, encoded, labels_of, tokenizer_of, write
from compress.stages.start import mapped_to_start, start_layers
from compress.stages.transfer import transfer
from compress.stages.voices import voices

_START_ROWS = 1024
_START_BATCH = 64


class Settings(NamedTuple):
    """What the student is and how it learns."""

    task: settings.Task
    student: settings.Student
    teachers: Mapping[str, settings.FurtherTeacher] = MappingProxyType({})


class Needs(NamedTuple):
    """The fine-tuned teacher, further ones by the steps that made them, and the augmented rows if there are some."""

    teacher: Path
    teachers: Mapping[str, Path] = MappingProxyType({})
    augmented: Path | None = None


def distill(settings: Settings, needs: Needs, context: Context) -> None:
    """Give a student its first weights and train it on the losses between it and its teacher.

    Writes a model folder with its tokenizer, `history.json` and, if it starts from its teacher's layers, `start.json`.
    """
    task = settings.task
    teacher, tokenizer = checkpoint.load(needs.teacher), tokenizer_of(needs.teacher)
    whole = Reader(teacher, tokenizer)
    own = None if settings.student.model is None else _pretrained(settings.student.model, task, teacher, context)
    learning = settings.student.distill
    learned = transfer(task, learning, needs.augmented, context.root)
    read = lesson(task, learned, own or whole, whole, learning, context)
    others = voices(learning, settings.teachers, needs.teachers, task, learned, labels_of(teacher), context)
    student = own.model if own else _start(settings, whole, read.validation, context)
    learning = mapped_to_start(learning, student, teacher, context.out)
    history = learn(student, teacher, read, learning, context, others)
    write(context.out, student, (own or whole).tokenizer, history)


def _start(settings: Settings, own: Reader, validation: Encoded, context: Context) -> PreTrainedModel:
    """The student with its first weights, made from its teacher's."""
    student, (teacher, tokenizer) = settings.student, own
    torch.manual_seed(context.seed)
    layers: tuple[int, ...] | None = None
    if student.start != "random":
        count = student.architecture.layers or calls(teacher.config)
        layers = start_layers(student, count, teacher, validation, context)
    config = configured(teacher.config, student.architecture, layers)
    made: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    small, large = shape_of(config), shape_of(teacher.config)
    same = (small.hidden, small.heads[0], small.intermediate[0]) == (
        large.hidden,
        large.heads[0],
        large.intermediate[0],
    )
    start = student.start if student.start != "auto" else "layers" if same else "pca"
    rows = encoded("train", settings.task, context.root, tokenizer, teacher, "the teacher")
    first_weights(made, teacher, start=start, layers=layers or (), batches=_batches(rows, context.seed))
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
        yield collate([rows[row] for row in order[begin : begin + _START_BATCH]], rows.pad_id, left=rows.left)
