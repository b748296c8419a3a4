"""The report as a comment on a pull request: Markdown that is short enough and calls nobody."""

import re
from collections.abc import Iterator

from compress.report.gate.verdict import Verdict
from compress.report.pages import markdown
from compress.report.record import Record

LIMIT = 65_000
"""Characters. GitHub takes 65,536, and four bytes for each of them."""
_CUT = "*Cut here: the whole report is in the run's `report.html` and `report.md`.*"
_CALLS = re.compile(r"(?<![&(])([@#])(?=\w)")  # but no entity (`&#124;`) and no link (`(#models)`)


def render(record: Record, verdict: Verdict, limit: int = LIMIT) -> str:
    """The report, the verdict first, with at most `limit` characters; what is cut are whole sections from its end, if that is enough.

    The first line is a hidden marker with the run's name, by which a later run finds the comment and edits it. Names in the
    data that look like a person's or an issue's (`@user`, `#12`) are no mention.
    """
    text = _CALLS.sub("\\1\N{ZERO WIDTH SPACE}", markdown.render(record, verdict))
    return f"{marker(record)}\n{_shortened(text, limit - len(marker(record)) - 1)}"


def marker(record: Record) -> str:
    """The line that a comment on this run begins with; it is not shown."""
    return f"<!-- compress gate: {re.sub(r'[^A-Za-z0-9._]+', '-', record.name)[:100]} -->"


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    kept: list[str] = []
    for pieces in (re.split(r"(?m)^(?=## )", text), text.splitlines(keepends=True), [text]):
        kept = list(_fitting(pieces, limit - len(_CUT) - 3))
        if kept:
            break
    whole = "".join(kept) or text[: limit - len(_CUT) - 3]
    return f"{whole.rstrip()}\n\n{_CUT}\n"


def _fitting(pieces: list[str], limit: int) -> Iterator[str]:
    """The first pieces, as many as have room."""
    for piece in pieces:
        limit -= len(piece)
        if limit < 0:
            return
        yield piece
