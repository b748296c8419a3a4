"""Fine-tune the teacher."""

from typing import NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress.config.settings import Task, Teacher
from compress.data import sources, vocabulary
from compress.encoders import checkpoint, source
from compress.encoders.scratch import from_scratch
from compress.stages.context import Context
from compress.stages.material import encoded, session, tokenizer_of, write
from compress.training.trainer import train


class Settings(NamedTuple):
    """What the teacher is and what it learns."""

    task: Task
    teacher: Teacher


class Needs(NamedTuple):
    """The teacher comes first: it reads no artifact."""


def teacher(settings: Settings, needs: Needs, context: Context) -> None:
    """Give pretrained (or random) weights a classification head and train all of it on the task.

    Writes a model folder with its tokenizer and `history.json`.
    """
    model, tokenizer = _start(settings, context)
    name = f"the {context.name.replace('teachers/', 'teacher ')}"
    rows = encoded("train", settings.task, context.root, tokenizer, model, name)
    validation = encoded("validation", settings.task, context.root, tokenizer, model, name)
    history = train(model, rows, validation, settings.teacher.train, session(context))
    write(context.out, model, tokenizer, history)


def _start(settings: Settings, context: Context) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    task, model = settings.task, settings.teacher.model
    labels = sources.label_names(task, context.root)
    if model.scratch is not None:
        rows = sources.load(task, context.root, "train")
        texts = [*rows.texts, *(rows.pairs or ())]
        tokenizer = vocabulary.learn(texts, model.scratch.vocabulary, max_length=model.scratch.max_positions)
        return from_scratch(model.scratch, tokenizer, labels, seed=context.seed), tokenizer
    folder = source.fetch(source.locate(model, context.root))
    torch.manual_seed(context.seed)
    return checkpoint.load_encoder(folder, labels=labels), tokenizer_of(folder)
