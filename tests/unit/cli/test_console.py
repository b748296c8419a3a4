"""Escape codes where there is a terminal for them, and nowhere else."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from compress.cli.console import console
from compress.cli.watch import Terminal
from compress.run.steps import Step
told = Terminal(console({plain}))
with told.working(Step(name="teacher", stage="teacher", settings={{}}, keys={{}}), ["not made yet"]):
    told.progress(1, 2, "half")
"""


def on_a_terminal(environment: dict[str, str], plain: bool = False) -> bytes:
    """What the script writes to a terminal of its own."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    ours, theirs = pty.openpty()
    cleared = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-c", SCRIPT.format(plain=plain)]
    with subprocess.Popen(command, stdout=theirs, env={**cleared, "TERM": "xterm-256color", **environment}) as running:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:
            pass  # Linux says so that the other side has ended
        assert running.wait() == 0
    os.close(ours)
    return said


def test_a_terminal_gets_a_bar() -> None:
    said = on_a_terminal({})
    assert b"\x1b[" in said
    assert b"1/2" in said


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"plain": "--plain"}])
def test_plain_lines_have_no_escape_codes(environment: dict[str, str]) -> None:
    said = on_a_terminal(environment, plain="plain" in environment)
    assert b"\x1b" not in said
    assert [line.split()[:2] for line in said.splitlines()] == [[b">", b"teacher"], [b"+", b"teacher"]]


def test_ci_that_says_no_is_none() -> None:
    assert b"\x1b[" in on_a_terminal({"CI": "false"})
