"""A verdict and its models as they are printed in a terminal."""

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from compress.report.gate.verdict import Answer, Verdict
from compress.report.pages import tables
from compress.report.record import Record

_LEFT_TO_THE_PAGES = ("p95", "peak memory")
"""Columns that would not fit 80 characters."""

_WORD = 12
"""Letters of a name without blanks that are never broken; longer ones are where it is narrow."""

_STYLES: dict[Answer, str] = {"pass": "bold green", "fail": "bold red", "not comparable": "bold yellow"}


def table(record: Record, verdict: Verdict) -> RenderableType:
    """The models of a record, what was cut, then the verdict: the checks that do not pass, the notes, the answer last."""
    lines: list[RenderableType] = [_grid(tables.variants(record))]
    lines += [Text(f"  {note}", style="dim") for note in (*tables.cuts(record), *verdict.notes)]
    for check in tables.troubles(verdict):
        lines.append(Text.assemble((f"{tables.MARKS[check.answer]} ", _STYLES[check.answer]), check.sentence))
    answer = (f"{tables.MARKS[verdict.answer]} {tables.WORDS[verdict.answer]}.", _STYLES[verdict.answer])
    lines.append(Text.assemble(answer, f" {verdict.headline}"))
    return Group(*lines)


def _grid(table: tables.Table) -> Grid:
    """Numbers are never cut: where it is narrow, heads and names are broken at their blanks, and long names inside too."""
    grid = Grid(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    shown = [index for index, column in enumerate(table.columns) if column.text not in _LEFT_TO_THE_PAGES]
    for index in shown:
        column = table.columns[index]
        cells = [row[index] for row in table.rows]
        words = [word for cell in cells for word in cell.split()]
        longest = max(map(cell_len, [*column.text.split(), *(cells if column.numeric else words)]))
        if column.numeric:
            grid.add_column(Text(column.text), justify="right", min_width=longest)
        else:
            grid.add_column(Text(column.text), overflow="fold", min_width=min(longest, _WORD))
    for row in table.rows:
        grid.add_row(*(Text(row[index]) for index in shown))
    return grid
