"""What a person reads."""

import os
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from compress.units import printable

_NO_END = 10_000


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the program to end where nobody reads: rich would end it as if the gate had failed."""
        raise

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed holds no control characters but the console's own: names and labels come from files."""
        for segment in super().render(renderable, options):
            yield segment if segment.is_control else Segment(printable(segment.text), segment.style)


def plain() -> bool:
    """Whether lines without colours and bars are asked for: no terminal, or one that says so, or a CI job's."""
    asked = os.environ.get("NO_COLOR") or os.environ.get("CI", "").lower() not in ("", "0", "false")
    return not sys.stdout.isatty() or bool(asked) or os.environ.get("TERM") == "dumb"


def console(plainly: bool = False) -> Console:
    """Standard output: as wide as the terminal; a pipe or a file gets every line whole. No escape codes where `plain`."""
    width = None if sys.stdout.isatty() else _NO_END
    if plainly or plain():  # FORCE_COLOR alone makes no terminal
        return _Output(highlight=False, width=width, force_terminal=False, no_color=True)
    return _Output(highlight=False, width=width)
