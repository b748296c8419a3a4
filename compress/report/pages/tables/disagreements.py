"""The test rows that the teacher and a student answer differently."""

from collections.abc import Sequence
from typing import NamedTuple

from compress.report.packing import unpack
from compress.report.pages.tables.table import export
from compress.report.record import Record, Row


class Answer(NamedTuple):
    """What some variants of a model say of a row."""

    label: str
    right: bool
    exports: tuple[str, ...]
    """The variants that say so; none where all of the model do."""


class Disagreement(NamedTuple):
    """A row, its right label, and what each model says of it."""

    row: Row
    label: str
    kind: str
    """Who is right, one of `KINDS`."""
    answers: tuple[tuple[str, tuple[Answer, ...]], ...]
    """By model, the teacher first."""


KINDS = (
    "the teacher is right, the students are wrong",
    "some students or exports are right, some wrong",
    "all are wrong, in different ways",
    "the teacher is wrong, the students are right",
)
"""Who may be right of a row, the costliest first."""


def grouped(record: Record) -> list[tuple[str, list[Disagreement]]]:
    """The rows of the record that are given in words, by who is right."""
    found = disagreements(record)
    return [(kind, own) for kind in KINDS if (own := [one for one in found if one.kind == kind])]


def disagreements(record: Record) -> list[Disagreement]:
    """The rows of the record that are given in words, in order."""
    gold = unpack(record.gold)
    answered = [(one.model, export(one), unpack(one.predictions)) for one in record.variants]
    models = tuple(dict.fromkeys(model for model, _, _ in answered))
    found = []
    for row in record.rows:
        right, told = gold[row.row], []
        for model in models:
            own = [(name, answers[row.row]) for of, name, answers in answered if of == model]
            told.append((model, _answers(own, right, record.task.labels)))
        found.append(Disagreement(row, record.task.labels[right], _kind(record, told), tuple(told)))
    return found


def _answers(own: Sequence[tuple[str, int]], right: int, labels: Sequence[str]) -> tuple[Answer, ...]:
    said = dict.fromkeys(label for _, label in own)
    return tuple(
        Answer(labels[label], label == right, tuple(name for name, its in own if its == label) if len(said) > 1 else ())
        for label in said
    )


def _kind(record: Record, told: Sequence[tuple[str, tuple[Answer, ...]]]) -> str:
    lost, parted, wrong, won = KINDS
    students = {answer.right for model, answers in told if model in record.students for answer in answers}
    if len(students) > 1:
        return parted
    if students == {True}:
        return won
    teacher = {answer.right for model, answers in told if model not in record.students for answer in answers}
    return lost if True in teacher else wrong
