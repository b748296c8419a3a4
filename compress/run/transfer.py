"""What is wrong with the rows that students are to learn from beside the labelled ones. Imports no torch."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from compress import files
from compress.config.pipeline import Draft
from compress.config.settings import (
    MAIN,
    Augment,
    Data,
    Distill,
    FurtherTeacher,
    Learning,
    Model,
    Origin,
    Task,
    declared,
)
from compress.config.source import KeyPath
from compress.encoders import families, source
from compress.errors import InputError, NotAvailable, Problem, unknown
from compress.run import marks

_MASKED_LM: KeyPath = ("augment", "masked_lm")
_HEADS = ("ForMaskedLM", "ForPreTraining")
"""Endings of the classes whose checkpoints can hold a masked language model."""


def problems(draft: Draft) -> Iterator[Problem]:
    """Every mistake about unlabelled and augmented rows, as far as the parts of the file that they stand in are valid."""
    yield from _language_model(draft)
    data, augment = draft.part(Data, ("task", "data")), draft.document.value.get("augment") is not None
    if data is None:
        return
    there = declared(data.unlabelled is not None, augment)
    yield from _pairs(draft)
    for name in draft.students:
        path: KeyPath = ("students", name, "distill")
        for group in (path, *draft.phases(path[:-1])):
            yield from _listed(draft, group, there)
        learned = draft.part(Distill, path, ("losses", "data", "teachers", "phases"))
        for group, one in zip(draft.phases(path[:-1]) or [path], learned.trainings if learned else (), strict=False):
            plain = [origin for origin in one.data or there if origin != "train"]
            yield from _unanswered(draft, group, one, plain)
            if plain and all(marks.reads(loss) == "labels" for loss in one.losses):
                yield Problem(
                    draft.document.where((*group, "losses")),
                    f"{', '.join(one.losses)} learns from labels alone, and the {' and the '.join(plain)} rows have none. "
                    "Give `data: [train]`, or a loss that reads the teacher's answers, such as `soft_label`.",
                )


def _unanswered(draft: Draft, path: KeyPath, training: Distill, plain: Sequence[Origin]) -> Iterator[Problem]:
    """Files of answers, which know the training rows only, beside other rows."""
    for name in training.teachers:
        teacher = draft.part(FurtherTeacher, ("teachers", name)) if name != MAIN else None
        if plain and teacher is not None and teacher.predictions is not None:
            yield Problem(
                draft.document.where((*path, "teachers")),
                f"`{name}` is a file of answers to the training rows, and this training reads {' and '.join(plain)} rows "
                "too. Give `data: [train]`, or leave the teacher out.",
            )


def _listed(draft: Draft, path: KeyPath, there: Sequence[Origin]) -> Iterator[Problem]:
    """Rows that the pipeline does not have, or that are listed twice."""
    learned = draft.part(Learning, path, ("data",))
    listed = (learned.data if learned else None) or ()
    for index, origin in enumerate(listed):
        where = draft.document.where((*path, "data", index))
        if origin not in there:
            key = {"unlabelled": "task.data.unlabelled", "augmented": "augment"}[origin]
            yield Problem(where, f"there are no such rows: the pipeline has no `{key}`. Add it, or leave this out.")
        elif origin in listed[:index]:
            yield Problem(where, f"`{origin}` is listed twice. List each once.")


def models(draft: Draft) -> dict[KeyPath, Model]:
    """Where the language model of the augmentation stands, if there is a valid one."""
    augment = draft.part(Augment, ("augment",)) if draft.document.value.get("augment") is not None else None
    return {} if augment is None or augment.masked_lm is None else {_MASKED_LM: augment.masked_lm}


def _language_model(draft: Draft) -> Iterator[Problem]:
    """What can be told of the language model by its settings and its `config.json`."""
    for model in models(draft).values():
        where = draft.document.where(_MASKED_LM)
        if model.scratch is not None:
            yield Problem(where, "a model of random weights proposes nothing. Name a pretrained masked language model.")
            continue
        try:
            with suppress(NotAvailable):  # is said once nothing is wrong with the file
                folder = source.locate(model, draft.root).path
                entry = {} if folder is None else files.read_json(folder / "config.json")
                fault = _unfit(entry if isinstance(entry, dict) else {})
                if fault:
                    yield Problem(where, f"{folder}: {fault}")
        except InputError as error:
            yield Problem(where, str(error))


def _pairs(draft: Draft) -> Iterator[Problem]:
    """Joined rows of a task whose rows are two texts."""
    task, augment = draft.part(Task, ("task",)), draft.part(Augment, ("augment",))
    if task is not None and task.text_pair is not None and augment is not None and augment.joined:
        yield Problem(
            draft.document.where(("augment", "joined")),
            "joins single texts, and a row of this task has two. Leave it out; `copies` replaces words in both.",
        )


def _unfit(config: dict[str, object]) -> str | None:
    """Why a model of this config proposes no words."""
    if not config:
        return None
    kind, classes = config.get("model_type"), config.get("architectures")
    if kind not in families.FAMILIES:
        return unknown("architecture", str(kind), families.FAMILIES)
    if isinstance(classes, list) and classes and not any(str(name).endswith(_HEADS) for name in classes):
        return f"holds a {classes[0]}, which is no masked language model. Give one such as `hub: bert-base-uncased`."
    return None
