"""Which labels are taken for which."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from compress.report import words
from compress.report.packing import unpack
from compress.report.pages.tables.table import Column, Table, export
from compress.report.record import Record
from compress.report.variant import TEACHER, Variant

_SHADES = 4


class Count(NamedTuple):
    """How many rows of a label get another, and how dark that is shown: from 0, none, to 4, as many as the worst pair."""

    rows: int
    shade: int
    right: bool


class Matrix(NamedTuple):
    """Labels by labels: what rows are, and what they are taken for. Of many labels those that are confused most often."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Count, ...], int], ...]
    """Of each label: its name, how many rows are of it, the counts by what they are taken for, and the rows taken for labels that are not shown."""
    of: int
    """How many labels there are in all."""


def matrix(record: Record, variant: Variant, *, whole: int = 20, part: int = 12) -> Matrix:
    """A variant's confusions: all labels if there are no more than `whole`, else the `part` most often confused ones."""
    gold, seen = unpack(record.gold), unpack(variant.predictions)
    counts, total, names = Counter(zip(gold, seen, strict=True)), Counter(gold), record.task.labels
    shown = list(range(len(names)))
    if len(names) > whole:
        missed: Counter[int] = Counter()
        for (is_, taken), rows in _wrong(gold, seen).items():
            missed.update({is_: rows, taken: rows})
        shown = sorted(sorted(missed or shown, key=lambda label: (-missed[label], label))[:part])
    worst = max((counts[one, other] for one in shown for other in shown if one != other), default=0)
    found = []
    for is_ in shown:
        cells = tuple(Count(n, _shade(n, worst), is_ == to) for to in shown for n in (counts[is_, to],))
        found.append((names[is_], total[is_], cells, total[is_] - sum(cell.rows for cell in cells)))
    return Matrix(tuple(names[label] for label in shown), tuple(found), len(names))


def _shade(rows: int, worst: int) -> int:
    return 0 if not rows else min(_SHADES, -(-_SHADES * rows // max(1, worst)))


def pairs(record: Record, student: str, most: int = 8) -> Table:
    """The pairs of labels that a student's variants confuse most often, beside the teacher; empty if it errs nowhere."""
    gold = unpack(record.gold)
    own = record.of(student)
    shown: Sequence[Variant] = [*([record.reference] if record.reference else []), *own]
    counted = [_wrong(gold, unpack(variant.predictions)) for variant in shown]
    worst: Counter[tuple[int, int]] = Counter()
    for wrong in counted[len(shown) - len(own) :]:
        worst |= wrong
    order = sorted(worst, key=lambda pair: (-worst[pair], pair))[:most]
    total = Counter(gold)
    names = record.task.labels
    columns = [Column("is"), Column("taken for"), Column("rows", numeric=True)]
    columns += [Column(TEACHER if one.model == TEACHER else export(one), numeric=True) for one in shown]
    rows = [
        (names[is_], names[seen], words.number(total[is_]), *(words.number(wrong[is_, seen]) for wrong in counted))
        for is_, seen in order
    ]
    return Table(tuple(columns), tuple(rows), keys=2)


def _wrong(gold: Sequence[int], predicted: Sequence[int]) -> Counter[tuple[int, int]]:
    return Counter((is_, seen) for is_, seen in zip(gold, predicted, strict=True) if is_ != seen)
