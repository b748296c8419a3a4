"""Distil the teacher into a student."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from compress.config import settings
from compress.data.batches import Encoded, collate, encode
from compress.encoders import checkpoint, source
from compress.encoders.families import calls, configured, shape_of
from compress.encoders.initialize import first_weights
from compress.errors import InputError
from compress.stages.context import Context
from compress.stages.learn import learn
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
    rows = encoded("train", task, context.root, tokenizer, teacher, "the teacher")
    validation = encoded("validation", task, context.root, tokenizer, teacher, "the teacher")
    learned = transfer(task, settings.student.distill, needs.augmented, context.root)
    others = voices(
        settings.student.distill, settings.teachers, needs.teachers, task, learned.rows, labels_of(teacher), context
    )
    student = _start(settings, teacher, tokenizer, rows, validation, context)
    how = mapped_to_start(settings.student.distill, student, teacher, context.out)
    whole = encode(learned.rows, tokenizer, task, token_types=rows.types is not None)
    history = learn(student, teacher, whole, validation, how, context, others, learned.parts)
    write(context.out, student, tokenizer, history)


def _start(
    settings: Settings,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Encoded,
    validation: Encoded,
    context: Context,
) -> PreTrainedModel:
    """The student with its first weights."""
    student = settings.student
    torch.manual_seed(context.seed)
    if student.model is not None:
        return _pretrained(student.model, settings.task, teacher, tokenizer, context)
    layers: tuple[int, ...] | None = None
    if student.start != "random":
        count = student.architecture.layers or calls(teacher.config)
        layers = start_layers(student, count, teacher, validation, context)
    config = configured(teacher.config, student.architecture, layers)
    made: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    own, whole = shape_of(config), shape_of(teacher.config)
    same = (own.hidden, own.heads[0], own.intermediate[0]) == (whole.hidden, whole.heads[0], whole.intermediate[0])
    start = student.start if student.start != "auto" else "layers" if same else "pca"
    first_weights(made, teacher, start=start, layers=layers or (), batches=_batches(rows, context.seed))
    return made


def _pretrained(
    model: settings.Model,
    task: settings.Task,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    context: Context,
) -> PreTrainedModel:
    folder = source.fetch(source.locate(model, context.root))
    if tokenizer_of(folder).get_vocab() != tokenizer.get_vocab():
        raise InputError(f"{folder}: its tokenizer is not the teacher's. A student reads the tokens of its teacher.")
    student = checkpoint.load_encoder(folder, labels=labels_of(teacher))
    check_reach(student, task, called(context))
    return student


def _batches(rows: Encoded, seed: int) -> Iterator[dict[str, Tensor]]:
    """Training rows in a random order, for the statistics that first weights are made from."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_START_ROWS].tolist()
    for begin in range(0, len(order), _START_BATCH):
        yield collate([rows[row] for row in order[begin : begin + _START_BATCH]], rows.pad_id)
