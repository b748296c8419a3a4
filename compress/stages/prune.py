"""Cut tokens, heads and neurons out of a student, and let it recover."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate
from compress.encoders import checkpoint
from compress.encoders.families import shape_of
from compress.encoders.surgery import Masks, cut
from compress.errors import CompressError, InputError, Problem
from compress.files import write_json
from compress.pruning.scores import unit_scores
from compress.pruning.search import choose
from compress.pruning.shares import missed, refusal
from compress.stages.context import Context
from compress.stages.learn import learn
from compress.stages.lesson import Reader, lesson
from compress.stages.material import labels_of, tokenizer_of, write
from compress.stages.vocabulary import fewer_tokens
from compress.stages.voices import voices

STRUCTURE = "structure.json"
_BATCH = 32


class Settings(NamedTuple):
    """What is cut, and how the student recovers."""

    task: settings.Task
    student: settings.Student
    teachers: Mapping[str, settings.FurtherTeacher] = MappingProxyType({})


class Needs(NamedTuple):
    """The fine-tuned teacher, the distilled student, and further teachers by the steps that made them."""

    teacher: Path
    student: Path
    teachers: Mapping[str, Path] = MappingProxyType({})


def prune(settings: Settings, needs: Needs, context: Context) -> None:
    """Drop tokens, score the student's heads and neurons, cut the least important ones for real, train what is left.

    Writes a model folder with its tokenizer, `history.json` and `structure.json`: what is left of each layer, the
    shares that were asked for and removed, and the tokens that are left.
    Raises: InputError, before the recovery, if what can be cut misses the asked shares by more than rounding does.
    """
    asked = settings.student.prune
    if asked is None:
        raise CompressError(f"{context.name}: the pipeline asks for no pruning.")
    teacher, student = checkpoint.load(needs.teacher), checkpoint.load(needs.student)
    own, vocabulary = Reader(student, tokenizer_of(needs.student)), None
    if asked.vocabulary is not None:
        own, vocabulary = fewer_tokens(own, asked.vocabulary, settings.task, context)
    learning = _recovery(settings.student.distill, asked.recover)
    read = lesson(settings.task, own, Reader(teacher, tokenizer_of(needs.teacher)), learning, context)
    others = voices(learning, settings.teachers, needs.teachers, settings.task, labels_of(teacher), context)
    smaller = _cut(student, read.rows, asked, context.seed)
    shares = _shares(student, smaller, asked, f"students.{context.name.partition('/')[2]}.prune")
    taught = partial(learn, heard=read.heard, translate=read.translate)
    history = taught(smaller, teacher, read.rows, read.validation, learning, context, others)
    write(context.out, smaller, own.tokenizer, history)
    write_json(context.out / STRUCTURE, {**_structure(student, smaller, shares), "vocabulary": vocabulary})


def _cut(student: PreTrainedModel, rows: Encoded, asked: settings.Prune, seed: int) -> PreTrainedModel:
    if not asked.heads and not asked.neurons:
        return student
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: asked.rows].tolist()
    order.sort(key=rows.lengths.tolist().__getitem__)  # rows of like length together: half the time
    batches = (
        collate([rows[row] for row in order[begin : begin + _BATCH]], rows.pad_id)
        for begin in range(0, len(order), _BATCH)
    )
    scores = unit_scores(student, batches, asked.importance)
    choice = choose(scores.heads, scores.neurons, heads=asked.heads, neurons=asked.neurons, multiple=asked.multiple)
    return cut(student, Masks(choice.heads, choice.neurons))


def _recovery(distill: settings.Distill, recover: settings.Recover) -> settings.Distill:
    """What the student learned last, by the recovery's training settings: a phase before it prepared what is there."""
    own = distill.trainings[-1].model_dump(include={"losses", "layer_mapping", "temperature", "teachers", "cache"})
    return settings.Distill(**own, **recover.model_dump())


def _shares(
    before: PreTrainedModel, after: PreTrainedModel, asked: settings.Prune, key: str
) -> dict[str, dict[str, float]]:
    """Of all heads and of all neurons the share that was asked for and the one that is gone.

    Raises: InputError if the two lie further apart than rounding explains.
    """
    whole, left = Masks.full(before), Masks.full(after)
    shares, faults = {}, []
    for kind in ("heads", "neurons"):
        units = sum(map(len, getattr(whole, kind)))
        wanted, removed = getattr(asked, kind), 1 - sum(map(len, getattr(left, kind))) / units
        shares[kind] = {"asked": wanted, "removed": removed}
        if missed(wanted, removed, units):
            faults.append(Problem(f"{key}.{kind}", refusal(kind, wanted, removed, asked.multiple)))
    if faults:
        raise InputError(faults)
    return shares


def _structure(
    before: PreTrainedModel, after: PreTrainedModel, shares: dict[str, dict[str, float]]
) -> dict[str, object]:
    whole, left = shape_of(before.config), shape_of(after.config)
    return {
        "layers": [
            {"heads": heads, "neurons": neurons} for heads, neurons in zip(left.heads, left.intermediate, strict=True)
        ],
        "of": {"heads": whole.heads[0], "neurons": whole.intermediate[0]},
        "shares": shares,
    }
