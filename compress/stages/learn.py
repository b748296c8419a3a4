"""A student learning from its teachers: what distillation and the recovery after a cut share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.config.settings import MAIN, Distill
from compress.data.batches import Encoded
from compress.errors import InputError
from compress.losses import UNLABELLED
from compress.stages.context import Context
from compress.stages.lesson import Lesson
from compress.stages.material import session
from compress.store import seal
from compress.training.devices import first_alone, place
from compress.training.history import History
from compress.training.objective import Distillation
from compress.training.phases import train_in_turn
from compress.training.precision import Precision, chosen
from compress.training.teacher_cache import Voice, averaged, cached_logits, reads, worth_caching
from compress.training.teacher_states import States, cached_states

PASSES = 2
"""Passes over the rows from which on it pays to store the teacher's inner states."""


def learn(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    lesson: Lesson,
    settings: Distill,
    context: Context,
    voices: Mapping[str, Voice] = MappingProxyType({}),
    again: Callable[[PreTrainedModel], PreTrainedModel] | None = None,
) -> History:
    """Train the student in place, phase after phase; `voices` give the logits of further teachers on the same rows.

    `again` makes between two trainings, of the student as the one leaves it, the student that the other trains.
    What is read of teachers is found once where that saves time, and kept in the work folder, which belongs to one
    teacher and one set of rows.
    Raises: InputError, before anything is computed, with all that does not fit
    """
    trainings = settings.trainings
    learned = [_part(lesson, each) for each in trainings]
    _check_labels(learned, trainings)
    foreign = lesson.heard is not None and lesson.translate is None
    heard = lesson.heard or lesson.rows

    made = partial(Distillation, teacher=teacher, seed=context.seed, translate=lesson.translate)

    stored = [_stored(each, worth_caching(trainings), foreign) for each in trainings]
    blank = torch.empty(0, int(teacher.config.num_labels or 0))
    # Made once for nothing but the check, before teachers are asked for hours.
    drafts = [
        made(student, settings=each, teacher_logits=blank if kept else None)
        for each, kept in zip(trainings, stored, strict=True)
    ]
    deep = [bool(reads(each) - {"logits"}) for each in trainings]
    asked = _read(heard, [part for part, inside in zip(learned, deep, strict=True) if inside])
    states, notes = _states(teacher, asked, settings, drafts, context)
    ask = partial(
        cached_logits, teacher, folder=context.work, key=MAIN, notify=context.notify, precision=_precision(trainings)
    )
    others = any(
        kept and not inside and MAIN in each.teachers
        for each, kept, inside in zip(trainings, stored, deep, strict=True)
    )
    voices = {**voices, MAIN: partial(_answers, heard, states, ask, others=others)}
    given = []
    for each, kept, inside in zip(trainings, stored, deep, strict=True):
        inner = states if inside else None
        kept = kept or (inner is not None and "logits" in reads(each))
        given.append((averaged(each.teachers, voices) if kept else None, inner))

    def modules() -> Iterator[Distillation]:
        own = student
        for number, (each, (logits, inner)) in enumerate(zip(trainings, given, strict=True)):
            if number and again is not None:
                own = again(own)
            yield made(own, settings=each, teacher_logits=logits, teacher_states=inner)

    history = train_in_turn(modules(), learned, lesson.validation, trainings, session(context))
    return replace(history, notes=[*history.notes, *notes])


def _precision(trainings: Sequence[Distill]) -> Precision:
    """The arithmetic of what is stored: the finest of the trainings that may read it."""
    found = {chosen(each.precision, place().device) for each in trainings}
    return "fp32" if "fp32" in found else "bf16"


def _part(lesson: Lesson, training: Distill) -> Encoded:
    """The rows of one training."""
    rows, _, parts, *_ = lesson
    asked = training.data or tuple(parts)
    return rows if set(asked) >= parts.keys() else rows.part([row for origin in asked for row in parts[origin]])


def _read(rows: Encoded, parts: Sequence[Encoded]) -> Encoded:
    """Those of the rows that one of the parts has, or they themselves if none is missing."""
    if not parts or any(part.numbers is None for part in parts):
        return rows
    found = np.unique(np.concatenate([part.numbers for part in parts if part.numbers is not None]))
    return rows if len(found) == len(rows) else rows.part(found.tolist())


def _answers(heard: Encoded, states: States | None, ask: Callable[[Encoded], Tensor], *, others: bool) -> Tensor:
    """The teacher's logits: those found beside its states; `others`, if they are read too, are asked for.

    Shapes: (rows, classes), NaN on rows that are not read
    """
    if states is None:
        return ask(heard)
    found = states.answers(len(heard))
    rest = np.setdiff1d(np.arange(len(heard)), states.numbers)
    if others and len(rest):
        found[rest] = ask(heard.part(rest.tolist()))
    return found


def _check_labels(learned: Sequence[Encoded], trainings: Sequence[Distill]) -> None:
    """Raises: InputError if a training has rows without labels, and all its losses read labels"""
    for rows, training in zip(learned, trainings, strict=True):
        if (rows.labels == UNLABELLED).any() and not reads(training):
            raise InputError(
                f"there are rows without labels, and the losses {', '.join(training.losses)} learn from labels alone. "
                "Give `data: [train]`, or a loss that reads the teacher's answers, such as `soft_label`."
            )


def _stored(training: Distill, worth: bool, foreign: bool) -> bool:
    """Whether a training takes logits that were computed before: always those of further teachers and `foreign` ones.

    A foreign teacher cannot read the student's batches.
    """
    if foreign or set(training.teachers) != {MAIN}:
        return "logits" in reads(training)
    return worth and reads(training) == {"logits"}


def _states(
    teacher: PreTrainedModel,
    rows: Encoded,
    settings: Distill,
    modules: Sequence[Distillation],
    context: Context,
) -> tuple[States | None, list[str]]:
    """The teacher's inner states, if they are to be stored and there is room, and what is to be said of that.

    A training that has begun goes on as it began, whatever room there is by then.
    """
    deep = [each for each in settings.trainings if reads(each) - {"logits"}]
    if settings.cache is None or not deep:
        return None, []
    if sum(each.epochs for each in deep) < PASSES:
        return None, [
            f"the teacher's inner states are read in less than {PASSES} passes over the rows, so none were stored"
        ]
    refused = context.work / f"no-room{seal.SUFFIX}"
    with first_alone():
        told = seal.kept(refused, context.notify)
    if told is not None:
        return None, [told["note"]]
    states, note = cached_states(
        teacher,
        rows,
        context.work,
        {name: any(module.inner[name] for module in modules) for name in modules[0].inner},
        {layer for module in modules for layer in module.teacher_layers},
        settings.cache.budget_gb * 1e9,
        context.notify,
        precision=_precision(settings.trainings),
    )
    if states is None:
        context.notify(0, 0, note)
        seal.write(refused, {"note": note})
    return states, [note]
