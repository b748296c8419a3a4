"""What a person reads."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_NO_END = 10_000


def console() -> "Console":
    """Standard output: as wide as the terminal; a pipe or a file gets every line whole."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _NO_END)
