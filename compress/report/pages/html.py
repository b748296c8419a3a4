"""A report as one HTML file that needs nothing else: no script, no font, no network."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from compress.report import words
from compress.report.gate.verdict import Verdict
from compress.report.pages import palette, picture, tables
from compress.report.pages.tables import Table
from compress.report.record import Record

WIDE_PX = 1000
NARROW_PX = 356


class Picture(NamedTuple):
    """One picture drawn for wide pages and once more for narrow ones; the page shows the one that fits."""

    wide: Markup
    narrow: Markup


def render(record: Record, verdict: Verdict) -> str:
    """The whole page. Everything that came from a user is escaped."""
    return _template().render(
        record=record,
        verdict=verdict,
        mark=tables.MARKS,
        word=tables.WORDS,
        cards=tables.cards(record, verdict),
        troubles=tables.troubles(verdict),
        checks=tables.checks(record, verdict),
        tradeoff=_picture(picture.tradeoff, record),
        variants=tables.variants(record),
        latency=tables.latency(record),
        answers=tables.answers(record),
        trades=tables.trades(record),
        making=tables.making(record),
        cuts={
            student: (tables.removed(cut), _picture(picture.structure, cut), tables.structure(cut))
            for student, cut in record.structures.items()
            if cut.cut
        },
        curves=_picture(picture.curves, record),
        stages=tables.stages(record),
        confusions=_confusions(record),
        origin=tables.origin(record),
        versions=tables.versions(record),
        metric=words.metric(record.task.metric),
        shape=words.shape(*record.shape),
        colours={"ink": palette.INK, "muted": palette.MUTED, "line": palette.LINE, "surface": palette.SURFACE},
        dark=palette.DARK,
        dark_rules=Markup(palette.dark_rules(".picture ")),
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["tied"] = tied
    return environment.get_template("page.html.jinja")


def tied(text: str) -> str:
    """Text in which no line breaks between a number and its unit."""
    return re.sub(r"(?<=\d) (?=(?:%|[kMG]?B|ms|s|min|h)\b|%)|(?<=[≤≥±]) | (?=±)", "\u00a0", text)


def _picture(draw: Any, what: Any) -> Picture | None:
    wide = draw(what, width=WIDE_PX)
    return Picture(Markup(wide), Markup(draw(what, width=NARROW_PX))) if wide else None


def _confusions(record: Record) -> dict[str, Table]:
    found = {student: tables.confusions(record, student) for student in record.students}
    return {student: table for student, table in found.items() if table.rows}
