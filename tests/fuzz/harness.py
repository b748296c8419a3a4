"""Runs the command line on a harmed file and judges how it ended."""

import contextlib
import io
import re
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

from compress.cli.main import code

LIMIT_S = 20.0
"""The longest that one case may take, on a slow machine that does other things."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Case(NamedTuple):
    """A command on a file that was harmed."""

    arguments: list[str]
    places: tuple[str, ...]
    """Parts of names, one of which an error must say."""
    about: str = ""
    """What was harmed, for whoever looks for the cause."""


class Ended(NamedTuple):
    """How a case ended."""

    exit_code: int
    seconds: float
    said: str
    """The standard error."""
    faults: tuple[str, ...]
    """What should not have been: none if all is well."""


class TooLong(BaseException):
    """A case took longer than it may. Not an Exception, which the program might take for one of its own."""


def run(case: Case) -> Ended:
    """Run a case in this process."""
    out, err = io.StringIO(), io.StringIO()
    begun = time.perf_counter()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _limited(LIMIT_S):
            exit_code = code(case.arguments)
    except TooLong:
        exit_code = -1
    seconds, said = time.perf_counter() - begun, err.getvalue()
    if seconds >= LIMIT_S:
        return Ended(exit_code, seconds, said, (f"took more than {LIMIT_S:.0f} s",))
    return Ended(exit_code, seconds, said, tuple(_faults(case, exit_code, out.getvalue(), said)))


def _faults(case: Case, exit_code: int, out: str, said: str) -> Iterator[str]:
    judges = case.arguments[0] in ("gate", "report")
    if exit_code not in ((0, 1, 2, 3) if judges else (0, 2, 3)):
        yield f"exit code {exit_code}"
    if "Traceback" in said:
        yield "a traceback"
    if exit_code == 2 and not any(place in said for place in case.places):
        yield f"no place named, such as {case.places[0]}"
    for name, text in (("output", out), ("standard error", said)):
        if found := _CONTROL.search(text):
            yield f"a control character in the {name}: {found[0]!r}"


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
