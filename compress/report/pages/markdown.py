"""A report as Markdown, for a pull request or a repository: the verdict first, all but the models folded away."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from compress.report import words
from compress.report.gate.verdict import Verdict
from compress.report.pages import pareto
from compress.report.pages.comparison import Comparison
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
from compress.report.pages.tables.disagreements import Disagreement
from compress.report.pages.tables.table import Table
from compress.report.record import Record

COMMENT_LIMIT = 65_536
"""How many characters a comment on GitHub holds."""


class Part(NamedTuple):
    """A part of the page below the verdict. Where there is little room, those of the lowest rank are left out first."""

    title: str
    rank: int
    blocks: Sequence[str]
    folded: bool = True


def render(record: Record, verdict: Verdict, picture: str | None = None, *, limit: int | None = None) -> str:
    """The report as GitHub-flavoured Markdown.

    picture: the path or address of the trade-off's SVG. limit: the most characters that it may have; what is least
    important is left out then, and the page says what
    """
    title, parts = f"# {plain(record.name)}", _parts(record, verdict, picture)
    page = _page([title, _verdict(record, verdict)], parts, [])
    left: list[str] = []
    while limit is not None and len(page) > limit and parts:
        least = min(parts, key=lambda part: part.rank)
        parts.remove(least)
        left.append(least.title)
        page = _page([title, _verdict(record, verdict)], parts, left)
    if limit is not None and len(page) > limit:
        page = _page(
            [f"# {plain(record.name[:200])}", f"{_answer(verdict)} {plain(verdict.sentence)}"], [], ["the rest"]
        )
    return page


def compared(comparison: Comparison) -> str:
    """Runs side by side as Markdown."""
    blocks = [f"# {plain(comparison.title)}"]
    for section in comparison.sections:
        blocks += [f"## {plain(section.title)}", plain(section.about)]
        blocks += [_table(section.table)] if section.table.rows else []
    return "\n\n".join(filter(None, blocks)) + "\n"


def _page(head: Sequence[str], parts: Iterable[Part], left: Sequence[str]) -> str:
    blocks = [*head]
    for part in parts:
        if part.folded:
            blocks += [f"<details><summary><b>{part.title}</b></summary>", *part.blocks, "</details>"]
        else:
            blocks += part.blocks
    blocks += [f"Left out, for it would be too long: {', '.join(left)}."] if left else []
    return "\n\n".join(blocks) + "\n"


def _parts(record: Record, verdict: Verdict, picture: str | None) -> list[Part]:
    """The parts of the page in order, those without content left out."""
    parts = [
        Part(
            "The picture",
            12,
            [] if picture is None else [_picture(record, picture), plain(pareto.sentence(record))],
            False,
        ),
        Part("Models", 11, ["## Models", _table(models.table(record))], False),
        Part("What was cut where", 5, _cuts(record)),
        Part(
            "Answers", 8, [_table(answers.table(record)), *_full("Beside the PyTorch source:", answers.parity(record))]
        ),
        Part("Slices that moved", 9, _slices(record, verdict)),
        Part("Labels most often confused", 4, _confusions(record)),
        Part("Rows answered differently", 2, _disagreements(record)),
        Part("Lower precisions", 7, _precisions(record)),
        Part("Latency", 6, [_LATENCY, _table(latency.medians(record))]),
        Part("Latency, percentiles", 1, _percentiles(record)),
        Part("Stages", 3, _full("", stages.table(record))),
        Part("Where the numbers come from", 10, _origin(record)),
    ]
    return [part for part in parts if part.blocks]


_LATENCY = (
    "Median of one call (rows × tokens) and, in brackets, how many times faster than the teacher in PyTorch FP32, "
    "timed in the same rounds."
)


_SLICES = (
    "Parts of the test rows whose accuracy differs from the teacher's beyond the 95 % interval; by chance alone about one "
    "part in twenty does."
)


_PRECISIONS = (
    "Each beside the plain precision of the same runtime: difference of accuracy, paired by row; share of its size; how many "
    "times as fast, with 95 % intervals, timed in the same rounds. The accuracy is unsure where the rows are too few to tell "
    "whether more of it is lost than allowed."
)


def _answer(verdict: Verdict) -> str:
    return f"**{checks.MARKS[verdict.answer]} {checks.WORDS[verdict.answer]}.**"


def _verdict(record: Record, verdict: Verdict) -> str:
    blocks = [f"{_answer(verdict)} {plain(verdict.headline)}"]
    for card in cards.cards(record, verdict):
        numbers = ", ".join(f"{number} {what}" for number, what in card.numbers)
        blocks.append(f"**{plain(card.student)}** as {plain(card.export)}: {numbers}.")
    blocks += _list(f"{checks.MARKS[check.answer]} {plain(check.sentence)}" for check in checks.troubles(verdict))
    blocks += _full("", checks.table(record, verdict))
    blocks += _list(map(plain, verdict.notes))
    return "\n\n".join(blocks)


def _picture(record: Record, path: str) -> str:
    return f"![{plain(words.metric(record.task.metric))} against latency; area is the size of the file]({path.replace(' ', '%20')})"


def _list(lines: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {line}" for line in lines)
    return [text] if text else []


def _full(title: str, table: Table) -> list[str]:
    """A table with its title; nothing if it is empty."""
    return [*filter(None, [title]), _table(table)] if table.rows else []


def _precisions(record: Record) -> list[str]:
    found = _full(_PRECISIONS, precisions.table(record))
    return found + _list(map(plain, precisions.making(record)))


def _cuts(record: Record) -> list[str]:
    blocks = []
    for student, cut in record.structures.items():
        if cut.cut:
            blocks += [f"### {plain(student)}", plain(cuts.removed(cut)), *_full("", cuts.layers(cut))]
    return [*filter(None, blocks)]


def _slices(record: Record, verdict: Verdict) -> list[str]:
    blocks = []
    for student in record.students:
        variant = cards.best(record, verdict, student)
        blocks += _full(f"### {plain(student)}", slices.table(record, variant, moved=True))
    return [_SLICES, *blocks] if blocks else []


def _confusions(record: Record) -> list[str]:
    blocks = []
    for student in record.students:
        blocks += _full(f"### {plain(student)}", confusion.pairs(record, student))
    return blocks


def _disagreements(record: Record) -> list[str]:
    blocks = []
    for kind, found in disagreements.grouped(record):
        blocks += [f"{kind[:1].upper()}{kind[1:]}:", *_list(map(_disagreement, found))]
    return blocks


def _disagreement(one: Disagreement) -> str:
    texts = " / ".join(f"“{plain(text)}”" for text in (one.row.text, one.row.text_pair) if text is not None)
    told = []
    for model, said in one.answers:
        labels = [
            f"{plain(answer.label)} {'✓' if answer.right else '✗'}"
            + (f" ({', '.join(map(plain, answer.exports))})" if answer.exports else "")
            for answer in said
        ]
        told.append(f"{plain(model)}: {', '.join(labels)}")
    return f"{texts} is {plain(one.label)}; {'; '.join(told)}"


def _percentiles(record: Record) -> list[str]:
    blocks = []
    for shape in latency.shapes(record):
        blocks += _full(f"### {latency.title(shape)}", latency.percentiles(record, shape))
    return blocks


def _origin(record: Record) -> list[str]:
    facts = (
        f"{plain(name)}: {code(value) if name == 'command' else plain(value)}" for name, value in origin.facts(record)
    )
    versions = ", ".join(f"{plain(name)} {plain(version)}" for name, version in origin.versions(record))
    return [*_list(facts), f"Versions: {versions}."]


def _table(table: Table) -> str:
    lines = [[plain(column.text) for column in table.columns]]
    lines.append(["---:" if column.numeric else "---" for column in table.columns])
    lines += [[plain(cell) for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_APART = "&#8203;"
"""A space without width: where it stands, GitHub sees no mention, reference, address or emoji."""

_READ = re.compile(
    r"@(?=\w)|#(?=\d)|GH-(?=\d)|:(?=//)|\bwww(?=\.)|:(?=[a-z+-][\w+-]*:)|[\\`*_\[\]|~#$&<>]", re.IGNORECASE
)
"""What Markdown, the HTML in it, or GitHub reads as more than text."""

_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "<span>$</span>"}


def plain(text: str) -> str:
    """Text that Markdown, the HTML in it and GitHub leave as it is, on one line."""
    return _READ.sub(_escaped, words.line(text))


def _escaped(found: re.Match[str]) -> str:
    seen = found.group()
    if seen in _WRITTEN:
        return _WRITTEN[seen]
    if seen == "#":
        return f"\\#{_APART}" if found.string[found.end() : found.end() + 1].isdecimal() else "\\#"
    return f"{seen}{_APART}" if seen in "@:" or len(seen) > 1 else f"\\{seen}"


def code(text: str) -> str:
    """Text as code, between more backticks than it has in a row."""
    text = words.line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    apart = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{apart}{text}{apart}{fence}"
