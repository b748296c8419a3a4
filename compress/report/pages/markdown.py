"""A report as Markdown, for a pull request or a repository: the verdict first."""

import re

from compress.report.gate.verdict import Verdict
from compress.report.pages import tables
from compress.report.pages.tables import Table
from compress.report.record import Record


def render(record: Record, verdict: Verdict, picture: str | None = None) -> str:
    """The report as GitHub-flavoured Markdown; `picture` is the path of the trade-off's SVG, beside the report."""
    parts = [f"# {plain(record.name)}", _verdict(record, verdict)]
    if picture is not None:
        parts.append(f"![accuracy against latency; area is the size of the file]({picture.replace(' ', '%20')})")
    parts += ["## Models", _table(tables.variants(record)), "## Latency", _LATENCY, _table(tables.latency(record))]
    parts += ["## Answers", _table(tables.answers(record))]
    parts += _trades(record) + _cuts(record) + _confusions(record)
    parts += ["## Stages", _table(tables.stages(record)), "## Where the numbers come from"]
    parts.append("\n".join(f"- {name}: {plain(value)}" for name, value in tables.origin(record)))
    parts.append(
        "Versions: " + ", ".join(f"{plain(name)} {plain(value)}" for name, value in tables.versions(record)) + "."
    )
    return "\n\n".join(parts) + "\n"


_LATENCY = (
    "Median of one call (rows × tokens) and, in brackets, how many times faster than the teacher in PyTorch FP32, "
    "timed in the same rounds."
)


_TRADES = (
    "Each beside the plain precision of the same runtime: difference of accuracy, paired by row; share of its size; how many "
    "times as fast, with 95 % intervals, timed in the same rounds. The accuracy is unsure where the rows are too few to tell "
    "whether more of it is lost than allowed."
)


def _verdict(record: Record, verdict: Verdict) -> str:
    lines = [f"**{tables.MARKS[verdict.answer]} {tables.WORDS[verdict.answer]}.** {plain(verdict.headline)}"]
    for card in tables.cards(record, verdict):
        numbers = ", ".join(f"{number} {what}" for number, what in card.numbers)
        lines.append(f"{plain(card.student)} as {plain(card.export)}: {numbers}.")
    troubles = [f"- {tables.MARKS[check.answer]} {plain(check.sentence)}" for check in tables.troubles(verdict)]
    lines += ["\n".join(troubles)] if troubles else []
    asked = tables.checks(record, verdict)
    lines += [_table(asked)] if asked.rows else []
    lines += ["\n".join(f"- {plain(note)}" for note in verdict.notes)] if verdict.notes else []
    return "\n\n".join(lines)


def _trades(record: Record) -> list[str]:
    found, made = tables.trades(record), tables.making(record)
    parts = ["## Lower precisions", _TRADES, _table(found)] if found.rows else []
    return parts + (["\n".join(f"- {plain(line)}" for line in made)] if made else [])


def _cuts(record: Record) -> list[str]:
    parts = []
    for student, cut in record.structures.items():
        if cut.cut:
            parts += [f"### {plain(student)}", tables.removed(cut), _table(tables.structure(cut))]
    return ["## What was cut where", *filter(None, parts)] if parts else []


def _confusions(record: Record) -> list[str]:
    parts = []
    for student in record.students:
        worst = tables.confusions(record, student)
        if worst.rows:
            parts += [f"### {plain(student)}", _table(worst)]
    return ["## Labels most often confused", *parts] if parts else []


def _table(table: Table) -> str:
    lines = [[column.text for column in table.columns]]
    lines.append(["---:" if column.numeric else "---" for column in table.columns])
    head, rule = (f"| {' | '.join(line)} |" for line in lines)
    body = [f"| {' | '.join(plain(cell) for cell in row)} |" for row in table.rows]
    return "\n".join([head, rule, *body])


def plain(text: str) -> str:
    """Text that Markdown and the HTML in it leave as it is, on one line."""
    text = " ".join(text.split(" ")).replace("\n", " ").replace("\r", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)
