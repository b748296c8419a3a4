"""Runs side by side, as tables of text: what each page that compares is made of."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from string import ascii_uppercase
from typing import Any, NamedTuple

from compress import units
from compress.config import settings
from compress.report import words
from compress.report.gate.latency import clock, shape
from compress.report.gate.outcomes import outcomes
from compress.report.gate.verdict import Verdict
from compress.report.pages.tables import origin
from compress.report.pages.tables.checks import MARKS, WORDS, worst_last
from compress.report.pages.tables.table import NONE, Column, Table, export
from compress.report.record import Record
from compress.report.variant import Variant

BEST = "★"
_SIDE = 0.975  # of an interval of 95 %
_PLAIN = settings.LatencyGate()


class Run(NamedTuple):
    """A run to be compared: where its report lies, what it says, and its verdict by its own gate."""

    where: str
    record: Record
    verdict: Verdict


class Section(NamedTuple):
    """A table with its title and what a reader must know of it."""

    title: str
    about: str
    table: Table


class Comparison(NamedTuple):
    """Runs side by side."""

    title: str
    sections: tuple[Section, ...]


def compare(runs: Sequence[Run]) -> Comparison:
    """Two runs or more, each beside the first: accuracy, latency, size, checks, and all else that differs."""
    names = dict.fromkeys(run.record.name for run in runs)
    sections = [_runs(runs), _accuracy(runs), *_latency(runs), _size(runs), _checks(runs), _differences(runs)]
    found = tuple(section for section in sections if section.table.rows or section.about)
    return Comparison(f"{', '.join(names)}: {len(runs)} runs side by side", found)


def _letters(runs: Sequence[Run]) -> list[str]:
    """What the runs are called: A, B … Z, Z1, Z2 …"""
    last = len(ascii_uppercase)
    return [ascii_uppercase[n] if n < last else f"Z{n - last + 1}" for n in range(len(runs))]


def _runs(runs: Sequence[Run]) -> Section:
    heads = ("run", "name", "verdict", "made", "machine class", "test rows", "report")
    rows = []
    for letter, (where, record, verdict) in zip(_letters(runs), runs, strict=True):
        answer = f"{WORDS[verdict.answer]} {MARKS[verdict.answer]}"
        made, tested = f"{record.created[:10]} {record.created[11:16]}", words.number(record.data.test.rows)
        rows.append((letter, record.name, answer, made, record.machine.machine_class, tested, where))
    columns = tuple(Column(head, numeric=head == "test rows") for head in heads)
    return Section("Runs", "Each is judged by its own gate.", Table(columns, tuple(rows)))


class _Seen(NamedTuple):
    """What is compared of a variant: its number, how that is written, what stands beside it in brackets, what is best."""

    number: Callable[[Variant], float | None]
    written: Callable[[float], str]
    beside: Callable[[Record, Variant, Variant], str]
    """Of a run's record, its variant and the first run's; "" for nothing."""
    highest: bool
    comparable: bool = True


def _accuracy(runs: Sequence[Run]) -> Section:
    first = runs[0].record
    metric = first.task.metric
    other = [
        letter for letter, run in [*zip(_letters(runs), runs, strict=True)][1:] if not _same_rows(first, run.record)
    ]

    def beside(record: Record, variant: Variant, before: Variant) -> str:
        seen = outcomes(first, variant, before) if _same_rows(first, record) else None
        if seen is None:
            return ""
        written = words.points if words.share(metric) else _signed
        low, high = seen.interval(_SIDE)
        return f"{written(seen.difference)}; {written(low)} to {written(high)}"

    unit = ", in points" if words.share(metric) else ""
    paired = f"In brackets the difference from A{unit} and its 95 % interval, paired by row."
    told = f"{', '.join(other)}: other test rows or labels than A's, so that no difference is told and none is best."
    if not other:
        about = _marked(paired)
    else:
        about = told if len(other) == len(runs) - 1 else f"{told} {paired}"
    seen = _Seen(lambda one: one.metrics.get(metric), partial(words.score, metric), beside, True, comparable=not other)
    title = words.metric(metric)
    return Section(title[:1].upper() + title[1:], about, _table(runs, seen))


def _latency(runs: Sequence[Run]) -> Iterator[Section]:
    """The medians where one machine class timed them all, and the speed-ups."""
    first = runs[0].record
    where = shape(first, first.gate.latency)
    at = f"at {words.shape(*where)} tokens"
    clocks = [(run.record.machine.machine_class, run.record.measure.threads) for run in runs]
    named = [f"{name}, {words.plural(threads, 'thread', 'threads')}" for name, threads in clocks]

    def median(variant: Variant) -> float | None:
        cell = variant.cell(*where)
        return None if cell is None else cell.p50_ms

    def speedup(variant: Variant) -> float | None:
        cell = variant.cell(*where)
        return None if cell is None else cell.speedup

    about = "How many times as fast as the teacher in PyTorch FP32, timed in the same rounds."
    if not any(clock(first, _PLAIN, run.record) for run in runs):
        seen = _Seen(median, units.milliseconds, _ratio(median), highest=False)
        yield Section(
            f"Median latency {at}", _marked(f"On {named[0]}. In brackets the ratio to A's."), _table(runs, seen)
        )
    else:
        told = "; ".join(f"{letter}: {name}" for letter, name in zip(_letters(runs), named, strict=True))
        about = f"Milliseconds of different machine classes or threads are not compared ({told}). {about}"
    seen = _Seen(speedup, words.times, lambda *_: "", highest=True)
    yield Section(f"Speed-up {at}", _marked(about), _table(runs, seen))


def _size(runs: Sequence[Run]) -> Section:
    def size(variant: Variant) -> float:
        return variant.size_bytes

    seen = _Seen(size, units.size, _ratio(size), highest=False)
    return Section("Size", _marked("In brackets the ratio to A's."), _table(runs, seen))


def _ratio(number: Callable[[Variant], float | None]) -> Callable[[Record, Variant, Variant], str]:
    def beside(record: Record, variant: Variant, before: Variant) -> str:
        own, there = number(variant), number(before)
        return words.times(own / there) if own is not None and there else ""

    return beside


def _marked(about: str) -> str:
    return f"{about} {BEST} is the best of its row."


def _table(runs: Sequence[Run], seen: _Seen) -> Table:
    """A row for each variant that some run has, a column for each run."""
    found = {(one.model, one.id): export(one) for run in runs for one in run.record.variants}
    rows = []
    for (model, name), title in found.items():
        own = [run.record.variant(model, name) for run in runs]
        numbers = [None if one is None else seen.number(one) for one in own]
        known = [number for number in numbers if number is not None]
        if not known:
            continue
        best = seen.written(max(known) if seen.highest else min(known))
        differ = len({seen.written(number) for number in known}) > 1
        cells = []
        for run, variant, number in zip(runs, own, numbers, strict=True):
            if variant is None or number is None:
                cells.append(NONE)
                continue
            before = own[0] if run is not runs[0] and numbers[0] is not None else None
            beside = seen.beside(run.record, variant, before) if before is not None else ""
            star = seen.comparable and differ and seen.written(number) == best
            cells.append(seen.written(number) + (f" ({beside})" if beside else "") + (f" {BEST}" if star else ""))
        rows.append((model, title, *cells))
    columns = (Column("model"), Column("export"), *(Column(letter, numeric=True) for letter in _letters(runs)))
    return Table(columns, tuple(rows), keys=2)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _same_rows(record: Record, other: Record) -> bool:
    """Whether two records tell of the same test rows under the same labels."""
    same = record.data.test.sha256 == other.data.test.sha256 and record.task.labels == other.task.labels
    return same and record.gold == other.gold and record.data.test.rows > 0


def _checks(runs: Sequence[Run]) -> Section:
    """The checks that one run passes and another does not."""
    answers = [
        {(check.student, check.variant, check.name): check.answer for check in worst_last(run.verdict)} for run in runs
    ]
    rows = []
    for key in dict.fromkeys(key for found in answers for key in found):
        own = [found.get(key) for found in answers]
        if len(set(own)) > 1:
            rows.append((*key, *(NONE if one is None else f"{WORDS[one]} {MARKS[one]}" for one in own)))
    columns = (*(Column(head) for head in ("model", "export", "check")), *(Column(name) for name in _letters(runs)))
    return Section("Checks that differ", "" if rows else "None does.", Table(columns, tuple(rows), keys=3))


def _differences(runs: Sequence[Run]) -> Section:
    facts = [dict(_facts(run.record)) for run in runs]
    rows = []
    for name in dict.fromkeys(name for known in facts for name in known):
        own = [known.get(name, NONE) for known in facts]
        if len(set(own)) > 1:
            rows.append((name, *own))
    columns = (Column("what"), *(Column(letter) for letter in _letters(runs)))
    about = (
        "Versions, machine, data, seeds and settings."
        if rows
        else "Nothing: versions, machine, data, seeds and settings are the same."
    )
    return Section("What differs", about, Table(columns, tuple(rows)))


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """What a run was made with, piece by piece."""
    yield from (fact for fact in origin.facts(record) if fact[0] != "made")
    yield "labels", ", ".join(record.task.labels)
    yield "metric", words.metric(record.task.metric)
    yield from ((f"version of {name}", version) for name, version in origin.versions(record) if name != "compress")
    for group in ("measure", "gate"):
        yield from _settings(group, getattr(record, group).model_dump(mode="json"))


def _settings(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _settings(f"{key}.{name}", inner)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _settings(f"{key}.{number}", item)
    elif value is not None:
        yield key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
