"""A run on the terminal: one line a step, a bar with rate and remaining time while it works."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from compress.run.steps import Step
from compress.units import duration

_WIDTH = 34


class Terminal:
    """Tells a person; where the output is no terminal, each step is a plain line when it starts and when it ends."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._bar: Progress | None = None

    def fresh(self, step: Step) -> None:
        """Say that a step is up to date."""
        self.console.print(f"[dim]=[/] {step.name:<{_WIDTH}} [dim]up to date[/]")

    @contextmanager
    def working(self, step: Step, reasons: Sequence[str]) -> Iterator[None]:
        """Show a step while it runs and its time when it is done."""
        why = "; ".join(reasons[:2]) + (f" and {len(reasons) - 2} more" if len(reasons) > 2 else "")
        begun = time.perf_counter()
        if not self.console.is_terminal:
            self.console.print(f"> {step.name:<{_WIDTH}} {why}", markup=False)
            yield
        else:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[note]}"),
            )
            with Progress(*columns, console=self.console, transient=True) as self._bar:
                self._bar.add_task(f"{step.name} [dim]({why})[/]", total=None, note="", rate="")
                try:
                    yield
                finally:
                    self._bar.refresh()
            self._bar = None
        self.console.print(f"[green]+[/] {step.name:<{_WIDTH}} {duration(time.perf_counter() - begun)}")

    def progress(self, done: int, total: int, note: str) -> None:
        """Move the bar."""
        if self._bar is not None:
            task = self._bar.tasks[0]
            rate = f"{task.speed:.1f}/s" if task.speed else ""
            self._bar.update(task.id, completed=done, total=total, note=note, rate=rate)
