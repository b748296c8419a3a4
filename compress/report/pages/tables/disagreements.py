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
    """What the difference costs: `lost`, `won` or `both wrong`; `in part` where it is not the same of all."""
    answers: tuple[tuple[str, tuple[Answer, ...]], ...]
    """By model, the teacher first."""


KINDS = {
    "lost": "the teacher is right, the students are wrong",
    "in part": "some students or exports are right, some wrong",
    "both wrong": "all are wrong, in different ways",
    "won": "the teacher is wrong, the students are right",
}
"""The kinds of difference, the costliest first."""


def disagreements(record: Record) -> list[Disagreement]:
    """The rows of the record that are given in words, the costliest kinds first."""
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
    return sorted(found, key=lambda one: list(KINDS).index(one.kind))


def _answers(own: Sequence[tuple[str, int]], right: int, labels: Sequence[str]) -> tuple[Answer, ...]:
    said = dict.fromkeys(label for _, label in own)
    return tuple(
        Answer(labels[label], label == right, tuple(name for name, its in own if its == label) if len(said) > 1 else ())
        for label in said
    )


def _kind(record: Record, told: Sequence[tuple[str, tuple[Answer, ...]]]) -> str:
    students = {answer.right for model, answers in told if model in record.students for answer in answers}
    if len(students) > 1:
        return "in part"
    teacher = all(answer.right for model, answers in told if model not in record.students for answer in answers)
    if teacher:
        return "lost"
    return "won" if students == {True} else "both wrong"
