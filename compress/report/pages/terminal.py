"""A verdict and its models as they are printed in a terminal."""

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from compress.report import words
from compress.report.gate.verdict import Verdict
from compress.report.pages.comparison import Comparison
from compress.report.pages.tables import checks, cuts, models
from compress.report.pages.tables.table import Table
from compress.report.record import Record
from compress.statistics.evidence import Answer

_LEFT_TO_THE_PAGES = ("p95", "peak memory")
"""Columns that would not fit 80 characters."""

_WORD = 12
"""Letters of a name without blanks that are never broken; longer ones are where it is narrow."""

_STYLES: dict[Answer, str] = {"pass": "bold green", "fail": "bold red", "not comparable": "bold yellow"}


def table(record: Record, verdict: Verdict) -> RenderableType:
    """The models of a record, what was cut, then the verdict: the checks that do not pass, the notes, the answer last."""
    lines: list[RenderableType] = [_grid(models.table(record))]
    lines += [_text(f"  {note}", style="dim") for note in (*cuts.lines(record), *verdict.notes)]
    for check in checks.troubles(verdict):
        lines.append(
            Text.assemble((f"{checks.MARKS[check.answer]} ", _STYLES[check.answer]), words.line(check.sentence))
        )
    answer = (f"{checks.MARKS[verdict.answer]} {checks.WORDS[verdict.answer]}.", _STYLES[verdict.answer])
    lines.append(Text.assemble(answer, words.line(f" {verdict.headline}")))
    return Group(*lines)


def compared(comparison: Comparison) -> RenderableType:
    """Runs side by side, a table after the other."""
    lines: list[RenderableType] = [_text(comparison.title, style="bold")]
    for section in comparison.sections:
        lines += [Text(""), _text(section.title, style="bold")]
        lines += [_text(section.about, style="dim")] if section.about else []
        lines += [_grid(section.table)] if section.table.rows else []
    return Group(*lines)


def _grid(table: Table) -> Grid:
    """Numbers are never cut: where it is narrow, heads and names are broken at their blanks, and long names inside too."""
    grid = Grid(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    shown = [index for index, column in enumerate(table.columns) if column.text not in _LEFT_TO_THE_PAGES]
    for index in shown:
        column = table.columns[index]
        cells = [row[index] for row in table.rows]
        parts = [word for cell in cells for word in cell.split()]
        longest = max(map(cell_len, [*column.text.split(), *(cells if column.numeric else parts)]))
        if column.numeric:
            grid.add_column(_text(column.text), justify="right", min_width=longest)
        else:
            grid.add_column(_text(column.text), overflow="fold", min_width=min(longest, _WORD))
    for row in table.rows:
        grid.add_row(*(_text(row[index]) for index in shown))
    return grid


def _text(text: str, style: str = "") -> Text:
    """Text without what would steer the terminal."""
    return Text(words.line(text), style=style)
