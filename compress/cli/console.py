"""What a person reads."""

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


def console() -> Console:
    """Standard output: as wide as the terminal; a pipe or a file gets every line whole."""
    return _Output(highlight=False, width=None if sys.stdout.isatty() else _NO_END)
