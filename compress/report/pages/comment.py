"""The report as a comment on a pull request: short enough, and found again by the run after."""

import re

from compress.report.gate.verdict import Verdict
from compress.report.pages import markdown
from compress.report.record import Record


def render(record: Record, verdict: Verdict, limit: int = markdown.COMMENT_LIMIT) -> str:
    """The report, the verdict first, with at most `limit` characters: what is least important is left out.

    The first line is a hidden marker with the run's name, by which a later run finds the comment and edits it.
    """
    first = f"{marker(record)}\n"
    return first + markdown.render(record, verdict, limit=limit - len(first))


def marker(record: Record) -> str:
    """The line that a comment on this run begins with; it is not shown."""
    return f"<!-- compress gate: {re.sub(r'[^A-Za-z0-9._]+', '-', record.name)[:100]} -->"
