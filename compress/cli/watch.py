"""A run on the terminal: one line a step, a bar with rate and remaining time while it works."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from compress.cli.console import console as standard
from compress.cli.pace import Pace
from compress.cli.plan import table
from compress.cli.report import show
from compress.config.settings import Gate
from compress.run.plan import Item
from compress.run.steps import Step
from compress.units import duration

_WIDTH = 34
_PAUSE = 30.0
"""Seconds between two lines of progress where there is no bar."""


def _columns() -> list[ProgressColumn]:
    """Steps done, rate and remaining time in full; of the note, what fits beside them."""
    fixed = Column(no_wrap=True)
    return [
        SpinnerColumn(table_column=fixed),
        TextColumn("{task.description}", table_column=fixed),
        BarColumn(bar_width=16, table_column=fixed),
        MofNCompleteColumn(table_column=fixed),
        TextColumn("{task.fields[rate]}", table_column=fixed),
        TimeRemainingColumn(compact=True, table_column=fixed),
        TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    ]


class Terminal:
    """Tells a person; where the output is no terminal, each step is a plain line when it starts and when it ends, and
    one every half a minute in between."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self.console = console or standard()
        self._clock = clock
        self._bar: Progress | None = None
        self._step = ""
        self._pace = Pace(clock, _PAUSE)

    def note(self, text: str) -> None:
        """Say something that belongs to no step."""
        self.console.print(text, markup=False)

    def fresh(self, step: Step) -> None:
        """Say that a step is up to date."""
        self.console.print(f"[dim]=[/] {step.name:<{_WIDTH}} [dim]up to date[/]")

    @contextmanager
    def working(self, step: Step, reasons: Sequence[str]) -> Iterator[None]:
        """Show a step while it runs and its time when it is done."""
        why = "; ".join(reasons[:2]) + (f" and {len(reasons) - 2} more" if len(reasons) > 2 else "")
        begun, self._step = self._clock(), step.name
        self._pace.begin()
        self.console.print(f"[cyan]>[/] {step.name:<{_WIDTH}} [dim]{escape(why)}[/]")
        if self.console.is_terminal:
            with Progress(*_columns(), console=self.console, transient=True, expand=True) as self._bar:
                self._bar.add_task(step.name, total=None, note="starting", rate="")
                yield
            self._bar = None
        else:
            yield
        self.console.print(f"[green]+[/] {step.name:<{_WIDTH}} {duration(self._clock() - begun)}")

    def progress(self, done: int, total: int, note: str) -> None:
        """Move the bar; without one, write a line now and then. With nothing in all, write the note as a line, once."""
        if not total:
            self.console.print(f"  {self._step:<{_WIDTH}} {note}", markup=False)
        elif self._bar is not None:
            task = self._bar.tasks[0]
            if task.total != total:  # another work, perhaps one that goes on: what was done before was not done now
                self._bar.reset(task.id, total=total, completed=done)
            rate = f"{task.speed:.3g}/s" if task.speed else ""
            self._bar.update(task.id, completed=done, note=note, rate=rate)
        elif self._pace.due(done, total):
            rate = f", {self._pace.rate:.3g}/s" if self._pace.rate else ""
            left = f", {duration(self._pace.left_s)} left" if self._pace.left_s is not None else ""
            self.console.print(f"  {self._step:<{_WIDTH}} {done}/{total}, {note}{rate}{left}", markup=False)

    def plan(self, items: Sequence[Item]) -> None:
        """Show what would run."""
        table(items, self.console)

    def verdict(self, report: Path, gate: Gate) -> int:
        """Show a report with its verdict; gives the verdict's exit code."""
        return show(report, self.console, gate)
