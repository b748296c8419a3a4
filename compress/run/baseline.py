"""Baselines: a report that later ones may not be worse than, kept beside the pipeline."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compress.errors import InputError
from compress.files import flush
from compress.report import record, words
from compress.report.gate import latency, verdict
from compress.report.gate.judged import judged
from compress.report.gate.verdict import Verdict
from compress.report.pages import markdown
from compress.report.pages.pictures import tradeoff
from compress.report.record import Record
from compress.report.variant import Variant
from compress.units import milliseconds, size

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"


class Accepted(NamedTuple):
    """What became a baseline, and what it replaced."""

    made: Record
    """The report as it was written: without its rows' texts."""
    files: tuple[Path, ...]
    """What was written: the report as JSON, its picture and its page."""
    alone: Verdict
    """By the report's own limits."""
    replaced: Record | None
    """The baseline that was there."""
    against: Verdict | None
    """Against that one."""


def accept(report: Record, folder: Path, name: str | None = None) -> Accepted:
    """Write a report as `NAME.json`, `.md` and `.svg` into a folder: all of them, or none. The name is the run's if left out.

    Outcomes row by row, digests of the data and versions stay in it; the texts of rows that the report shows do not: they may
    be nobody else's to read.
    Raises: InputError if the name is no file's, or a file of that name is there and is no report
    """
    name = report.name if name is None else name
    if not re.fullmatch(_NAME, name):
        raise InputError(
            f"--name {name}: a baseline's name has lowercase letters, digits, `.`, `_` and `-`, at most 64, and begins "
            "with a letter or digit."
        )
    file = folder / f"{name}.json"
    replaced = record.load(file) if file.exists() else None
    made = report.model_copy(update={"rows": ()})
    gate = made.gate.model_copy(update={"baseline": None})
    alone = verdict.judge(made, gate)
    against = None if replaced is None else verdict.judge(made, gate, replaced)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as around:
        drafts = [Path(around, f"{name}{suffix}") for suffix in (".svg", ".md", ".json")]
        drafts[0].write_text(tradeoff.svg(made), encoding="utf-8")
        drafts[1].write_text(markdown.render(made, alone, drafts[0].name), encoding="utf-8")
        record.save(made, drafts[2])
        for draft in drafts:
            flush(draft)
        files = tuple(draft.replace(folder / draft.name) for draft in drafts)
    return Accepted(made, files[::-1], alone, replaced, against)


def changes(made: Record, replaced: Record) -> Iterator[str]:
    """A sentence for each judged export that both reports have, then for those that only one has."""
    ours, theirs = _exports(made), _exports(replaced)
    same_clock = made.machine.machine_class == replaced.machine.machine_class
    for key, after in ours.items():
        if key in theirs:
            yield f"{' '.join(key)}: {', '.join(_differences(made, theirs[key], after, same_clock))}"
    yield from (f"{' '.join(key)}: new" for key in ours if key not in theirs)
    yield from (f"{' '.join(key)}: no longer there" for key in theirs if key not in ours)


def _differences(made: Record, before: Variant, after: Variant, same_clock: bool) -> Iterator[str]:
    metric = made.task.metric
    if metric in before.metrics and metric in after.metrics:
        scores = [words.score(metric, variant.metrics[metric]) for variant in (before, after)]
        yield f"{words.metric(metric)} {' → '.join(scores)}"
    yield f"size {size(before.size_bytes)} → {size(after.size_bytes)}"
    cells = [variant.cell(*latency.shape(made, made.gate.latency)) for variant in (before, after)]
    if same_clock and cells[0] and cells[1]:
        yield f"median {milliseconds(cells[0].p50_ms)} → {milliseconds(cells[1].p50_ms)}"


def _exports(report: Record) -> dict[tuple[str, str], Variant]:
    students = report.gate.students or report.students
    found = (variant for student in students for variant in judged(report, student, None))
    return {(variant.model, variant.id): variant for variant in found}
