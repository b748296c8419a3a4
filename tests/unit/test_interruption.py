"""Signals, as processes get them: small ones, so that nothing else takes time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import processes
import psutil
import pytest

from compress import interruption

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

_BEGIN = """
import hashlib, os, signal, subprocess, sys, time
from compress import interruption

def ready():
    print("ready", flush=True)

interruption.PATIENCE_S = float(sys.argv[1])
with interruption.heeded(), interruption.says("stopped there"):
"""

_LOOP = """
    ready()
    try:
        time.sleep(300)
    except KeyboardInterrupt:
        print(interruption.asked(), interruption.words())
        sys.exit(interruption.exit_code())
"""

_C_CODE = """
    nothing = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], stdout=nothing, stderr=nothing)
    print(child.pid, flush=True)
    ready()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000_000)
"""

_IGNORED = """
    ready()
    os.kill(os.getpid(), signal.SIGINT)
    print(interruption.asked())
"""

_DEFERRED = """
    try:
        with interruption.deferred():
            with interruption.deferred():
                ready()
                while not interruption.asked():
                    time.sleep(0.01)
            print("inner is done")
        print("never")
    except KeyboardInterrupt:
        print("outer is done")
"""


@contextmanager
def started(body: str, *command: str, patience_s: float = 600) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the body, and is killed in the end with its children."""
    with subprocess.Popen(
        [*command, sys.executable, "-c", _BEGIN + body, str(patience_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def until_ready(running: subprocess.Popen[str]) -> list[str]:
    """What it said before."""
    assert running.stdout is not None
    lines = []
    while (line := running.stdout.readline().strip()) != "ready":
        assert line, running.stderr and running.stderr.read()
        lines.append(line)
    time.sleep(0.5)  # until it is in what it does next
    return lines


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_half_a_second_is_left_of_the_two_within_which_it_has_gone() -> None:
    assert interruption.PATIENCE_S <= 1.5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_is_raised_where_it_is_heard(number: signal.Signals, code: int) -> None:
    with started(_LOOP) as running:
        until_ready(running)
        running.send_signal(number)
        assert running.communicate(timeout=60) == ("True stopped there\n", "")
        assert running.returncode == code


def test_where_it_is_not_heard_the_process_leaves_all_the_same_and_takes_its_children_along() -> None:
    with started(_C_CODE, patience_s=0.5) as running:
        (child,) = until_ready(running)
        begun = time.monotonic()
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=60) == ("", "stopped there\n")
        assert time.monotonic() - begun >= 0.5
        assert running.returncode == 143
        processes.wait_for(lambda: is_gone(int(child)), 10)


def test_told_the_same_twice_it_leaves_at_once_but_not_told_the_other() -> None:
    def told_again() -> bool:
        running.send_signal(signal.SIGINT)  # two that come together are one
        return running.poll() is not None

    with started(_C_CODE) as running:
        until_ready(running)
        for number in (signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(0.5)
            assert running.poll() is None
        processes.wait_for(told_again)
        assert running.returncode == 130


def test_what_defers_it_comes_to_its_end() -> None:
    with started(_DEFERRED) as running:
        until_ready(running)
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=60) == ("inner is done\nouter is done\n", "")


def test_a_signal_that_is_ignored_from_the_start_stays_so() -> None:
    with started(_IGNORED, "env", "sh", "-c", 'trap "" INT; exec "$@"', "sh") as running:
        assert running.communicate(timeout=60) == ("ready\nFalse\n", "")
        assert running.returncode == 0
