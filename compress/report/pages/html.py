"""A report as one HTML file that needs nothing else: no script, no font, no network."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from compress.report import words
from compress.report.gate.verdict import Verdict
from compress.report.pages import pareto
from compress.report.pages.comparison import Comparison
from compress.report.pages.pictures import curves, layers, palette, tradeoff
from compress.report.pages.tables import (
    answers,
    cards,
    checks,
    confusion,
    cuts,
    disagreements,
    latency,
    models,
    origin,
    precisions,
    slices,
    stages,
)
from compress.report.pages.tables.confusion import Matrix
from compress.report.pages.tables.table import Table, export
from compress.report.record import Record
from compress.report.structure import Structure

WIDE_PX = 1000
NARROW_PX = 356


class Picture(NamedTuple):
    """One picture drawn for wide pages and once more for narrow ones; the page shows the one that fits."""

    wide: Markup
    narrow: Markup


class Errors(NamedTuple):
    """Where a student errs, as one of its exports."""

    name: str
    export: str
    moved: Table
    parts: Table
    matrix: Matrix
    pairs: Table


def render(record: Record, verdict: Verdict) -> str:
    """The whole page. Everything that came from a user is escaped."""
    return _template("page.html.jinja").render(
        record=record,
        verdict=verdict,
        mark=checks.MARKS,
        word=checks.WORDS,
        cards=cards.cards(record, verdict),
        troubles=checks.troubles(verdict),
        checks=checks.table(record, verdict),
        tradeoff=_picture(tradeoff.tradeoff, record),
        on_the_line=pareto.sentence(record),
        models=models.table(record),
        medians=latency.medians(record),
        latencies=[(latency.title(shape), latency.percentiles(record, shape)) for shape in latency.shapes(record)],
        answers=answers.table(record),
        judged_by_probability=any(one.divergence or one.calibration_error for one in record.variants),
        parity=answers.parity(record),
        students=[_errors(record, verdict, student) for student in record.students],
        disagreements=disagreements.grouped(record),
        precisions=precisions.table(record),
        making=precisions.making(record),
        cuts={student: _cut(cut) for student, cut in record.structures.items() if cut.cut},
        curves=_picture(curves.curves, record),
        stages=stages.table(record),
        origin=origin.facts(record),
        versions=origin.versions(record),
        metric=words.metric(record.task.metric),
        shape=words.shape(*record.shape),
    )


def compared(comparison: Comparison) -> str:
    """Runs side by side as a page."""
    return _template("comparison.html.jinja").render(comparison=comparison)


@cache
def _template(name: str) -> Template:
    """A page's template, which escapes all that is put into it."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tied"] = tied
    environment.globals.update(
        colours={"ink": palette.INK, "muted": palette.MUTED, "line": palette.LINE, "surface": palette.SURFACE},
        dark=palette.DARK,
        dark_rules=Markup(palette.dark_rules(".picture ")),
    )
    return environment.get_template(name)


def _printable(value: Any) -> Any:
    return words.line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def tied(text: str) -> str:
    """Text in which no line breaks between a number and its unit."""
    return re.sub(r"(?<=\d) (?=×|(?:%|[kMG]?B|ms|s|min|h)\b|%)|(?<=[≤≥±×]) | (?=±)", "\u00a0", text)


def _picture(draw: Any, what: Any) -> Picture | None:
    wide = draw(what, width=WIDE_PX)
    return Picture(Markup(wide), Markup(draw(what, width=NARROW_PX))) if wide else None


def _cut(cut: Structure) -> tuple[str, Picture | None, Table]:
    return cuts.removed(cut), _picture(layers.layers, cut), cuts.layers(cut)


def _errors(record: Record, verdict: Verdict, student: str) -> Errors:
    variant = cards.best(record, verdict, student)
    parts = slices.table(record, variant, moved=False)
    return Errors(
        student,
        export(variant),
        slices.table(record, variant, moved=True),
        parts,
        confusion.matrix(record, variant),
        confusion.pairs(record, student),
    )
