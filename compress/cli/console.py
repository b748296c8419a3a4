"""What a person reads."""

import sys

from rich.console import Console

_NO_END = 10_000


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the program to end where nobody reads: rich would end it as if the gate had failed."""
        raise


def console() -> Console:
    """Standard output: as wide as the terminal; a pipe or a file gets every line whole."""
    return _Output(highlight=False, width=None if sys.stdout.isatty() else _NO_END)
