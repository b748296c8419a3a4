"""Is enough of the accuracy left in every part of the rows, so that the average hides no loss?"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil
from statistics import NormalDist
from typing import NamedTuple

from compress.config import settings
from compress.report import words
from compress.report.gate.check import Check, blind, listed
from compress.report.gate.judged import absent, judged
from compress.report.packing import unpack
from compress.report.record import Record
from compress.report.variant import Variant
from compress.statistics.evidence import NOTHING, Answer, Limit
from compress.statistics.holm import holm
from compress.statistics.paired import Cells
from compress.statistics.rows_needed import rows_needed

_TOLD = 5
"""Slices that a sentence names."""
_BINS = 4


class Parting(NamedTuple):
    """The parts of the test rows, and which of them each row is in."""

    names: tuple[str, ...]
    places: Sequence[int]


class Slice(NamedTuple):
    """A part of the test rows, and which of two models answers how many of them rightly."""

    name: str
    cells: Cells
    """The student's beside the other's: `rows`, `own`, `other`, `difference`, `interval(confidence)`."""


def slicings(record: Record) -> tuple[str, ...]:
    """What the rows of a report can be parted by."""
    return ("label", *(["length"] if record.lengths is not None else []), *record.columns)


def parting(record: Record, by: str, edges: Sequence[int] | None = None) -> Parting | None:
    """The rows parted by `label`, `length` or a column; None if the report does not have that."""
    if by == "label":
        return Parting(record.task.labels, unpack(record.gold))
    if by == "length":
        return None if record.lengths is None else _by_length(unpack(record.lengths), edges)
    column = record.columns.get(by)
    return None if column is None else Parting(column.values, unpack(column.rows))


def compare(record: Record, variant: Variant, other: Variant, parts: Parting) -> tuple[Slice, ...]:
    """Two variants' right answers in each part that has rows; `other` may be another report's, of the same rows."""
    kinds = [[0, 0, 0, 0] for _ in parts.names]
    answers = zip(
        parts.places, unpack(record.gold), unpack(variant.predictions), unpack(other.predictions), strict=True
    )
    for place, right, own, there in answers:
        kinds[place][2 * (own != right) + (there != right)] += 1
    return tuple(Slice(name, Cells(*of)) for name, of in zip(parts.names, kinds, strict=True) if any(of))


def checks(
    record: Record, gates: Sequence[settings.SliceGate], student: str, confidence: float, before: Record | None
) -> Iterator[Check | str]:
    """A check for each slicing and judged variant, beside the teacher and the same variant of a comparable baseline."""
    for gate in gates:
        name = f"slices.{gate.by}"
        yield from absent(record, name, student, gate.on)
        parts = parting(record, gate.by, gate.edges)
        for variant in judged(record, student, gate.on):
            title = f"{student} {variant.id} cannot be judged by {gate.by}"
            if parts is None:
                text = f"{title}: the report does not say it of its rows. It has: {listed(slicings(record))}."
                yield blind(name, text, student, variant.id)
            elif record.reference is None:
                yield blind(name, f"{title}: there is no teacher in PyTorch FP32.", student, variant.id)
            else:
                others = {"teacher": record.reference}
                if before is not None and (there := before.variant(student, variant.id)) is not None:
                    others["baseline"] = there
                found = [
                    (whose, one) for whose, other in others.items() for one in compare(record, variant, other, parts)
                ]
                yield from _judged(gate, variant, found, confidence)


class _Found(NamedTuple):
    whose: str
    part: Slice
    alone: Answer
    """Were it the only slice."""
    answer: Answer


def _judged(
    gate: settings.SliceGate, variant: Variant, slices: Sequence[tuple[str, Slice]], confidence: float
) -> Iterator[Check | str]:
    """Fails if any slice is shown to have lost too much; passes if all that are large enough are shown not to.

    Of slices too small for that, none may seem to have lost too much either, as by a test of it alone: a class of few rows that
    collapsed is not green among many slices.
    """
    limit, least = Limit(drop=gate.max_drop), rows_to_pass(gate.max_drop, confidence)
    tests = [part.cells.test(limit) for _, part in slices]
    raised = holm([test.lost for test in tests])
    found = [
        _Found(whose, part, test.answer(confidence), test._replace(lost=lost).answer(confidence))
        for (whose, part), test, lost in zip(slices, tests, raised, strict=True)
    ]
    small = [one for one in found if one.part.cells.rows < least]
    failed = [one for one in found if one.answer == "fail"]
    unsure = [one for one in found if one.answer == "not comparable" and (one not in small or one.alone == "fail")]
    answer: Answer = "fail" if failed else "not comparable" if unsure or len(small) == len(found) else "pass"
    told = sorted(failed or unsure or found, key=lambda one: one.part.cells.difference)
    allowed = f"{100 * gate.max_drop:.4g} points allowed"
    count = words.plural(len({one.part.name for one in told}), "slice", "slices")
    title = f"{variant.model} {variant.id} by {gate.by}"
    if failed:
        text = f"{title}: more than the {allowed} are lost in {count}: {_listed(told, confidence)}."
    elif unsure:
        text = f"{title}: too few rows to tell in {count} whether the {allowed} are kept: {_listed(told, confidence, limit)}."
    elif answer == "pass":
        text = f"{title}: no slice loses more than the {allowed}; the worst is {_listed(told[:1], confidence)}."
    else:
        text = f"{title}: no slice has the {words.plural(least, 'row', 'rows')} that it takes to show that the {allowed} are kept."
    worst = told[0].part.cells if told else None
    yield _check(gate, variant, answer, text, worst, confidence)
    if small:
        names = dict.fromkeys(f"{one.part.name} ({int(one.part.cells.rows)})" for one in small)
        yield (
            f"By {gate.by}, what has fewer than {words.plural(least, 'row', 'rows')} is judged only where a loss is "
            f"shown: {_some(list(names))}."
        )


def _check(
    gate: settings.SliceGate, variant: Variant, answer: Answer, text: str, worst: Cells | None, confidence: float
) -> Check:
    name, limit = f"slices.{gate.by}", Limit(drop=gate.max_drop)
    if worst is None:
        return blind(name, text, variant.model, variant.id)
    low, high = worst.interval(confidence)
    drop = 0.0 - worst.difference
    some = rows_needed(worst, limit, confidence)
    return Check(name, variant.model, variant.id, drop, gate.max_drop, answer, text, -high, -low, int(worst.rows), some)


def rows_to_pass(drop: float, confidence: float) -> int:
    """The fewest rows at which the same answers as the other model's show that no more is lost than allowed."""
    return max(1, ceil(NormalDist().inv_cdf(confidence) ** 2 * (1 - drop) / max(drop, NOTHING) - 1e-9))


def _by_length(lengths: Sequence[int], edges: Sequence[int] | None) -> Parting:
    """Parts that begin at the edges, or as many rows in each of four."""
    if edges is None:
        ordered = sorted(lengths)
        edges = (
            sorted({ordered[len(ordered) * part // _BINS] for part in range(1, _BINS)} - set(ordered[:1]))
            if ordered
            else ()
        )
    names = [f"up to {edges[0] - 1} tokens"] if edges else []
    for start, after in pairwise(edges):
        names.append(f"{start} to {after - 1} tokens" if start < after - 1 else words.plural(start, "token", "tokens"))
    names.append(f"from {edges[-1] if edges else 0} tokens")
    return Parting(tuple(names), [sum(length >= edge for edge in edges) for length in lengths])


def _listed(found: Sequence[_Found], confidence: float, limit: Limit | None = None) -> str:
    """Slices with their numbers: `music −4.00 points to the teacher (−9.10 to −1.20; 50 rows)`."""
    told = []
    for whose, part, _, _ in found[:_TOLD]:
        cells = part.cells
        low, high = (words.points(end) for end in cells.interval(confidence))
        rows = words.plural(int(cells.rows), "row", "rows")
        some = None if limit is None else rows_needed(cells, limit, confidence)
        rows += f" of the {words.number(some)} needed" if some is not None and some > cells.rows else ""
        span = f"{low} to {high}; " if confidence > 0.5 else ""
        told.append(f"{part.name} {words.points(cells.difference)} points beside the {whose} ({span}{rows})")
    return _some(told, len(found))


def _some(told: Sequence[str], count: int | None = None) -> str:
    more = (len(told) if count is None else count) - _TOLD
    return "; ".join(told[:_TOLD]) + (f"; and {words.number(more)} more" if more > 0 else "")
