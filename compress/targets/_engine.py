"""What targets have in common whose engines talk, are installed apart, or take no call beyond the one they planned for."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import InputError

if TYPE_CHECKING:
    from compress.targets import Extent


def missing(*modules: str, extra: str | None = None) -> str | None:
    """Which of the modules are not installed, and the line that installs them; None if all are.

    With an `extra` of this program, that is installed; without, packages of the modules' names.
    """
    gone = " ".join(name for name in modules if find_spec(name) is None)
    asked = f"'compress[{extra}]'" if extra else gone
    return f"not installed: {gone}. Run `pip install {asked}`." if gone else None


@contextmanager
def silent() -> Iterator[Callable[[], str]]:
    """Keep what is printed, logged or warned of from the terminal, that of libraries in C++ too.

    Gives a function that returns the last line printed so far, for an error to show; empty if there is none.
    """
    with tempfile.TemporaryFile() as kept, ExitStack() as undo:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            saved = os.dup(number)
            undo.callback(os.close, saved)
            undo.callback(os.dup2, saved, number)
            os.dup2(kept.fileno(), number)
        text = undo.enter_context(os.fdopen(os.dup(kept.fileno()), "w", buffering=1, encoding="utf-8"))
        undo.enter_context(redirect_stdout(text))
        undo.enter_context(redirect_stderr(text))
        undo.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")

        def last() -> str:
            text.flush()
            kept.seek(0)
            lines = kept.read().decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")

        yield last


def refusal(error: Exception, line: int = 0) -> str:
    """One line of what an engine raised, the first if not told otherwise; its class if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[line].strip() if lines else type(error).__name__


def within(file: Path, rows: int, tokens: int, built: Extent) -> None:
    """Check that a call is no larger than those a file was built for.

    Raises: InputError
    """
    if rows > built.batch or tokens > built.tokens:
        raise InputError(
            f"{file}: a call of {rows} rows of {tokens} tokens is larger than it was built for: at most {built.batch} rows "
            f"of {built.tokens} tokens. Export it anew with a larger `max_batch` or `task.max_length`, or ask for less at once."
        )
