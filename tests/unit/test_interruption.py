"""Signals, as processes get them: small ones, so that nothing else takes time."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

_BEGIN = """
import hashlib, subprocess, sys, time
from compress import interruption

def ready():
    print("ready", flush=True)

with interruption.heeded(), interruption.says("stopped there"):
"""

_LOOP = """
    ready()
    try:
        time.sleep(20)
    except KeyboardInterrupt:
        print(interruption.asked(), interruption.words())
        sys.exit(interruption.exit_code())
"""

_C_CODE = """
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    print(child.pid, flush=True)
    ready()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000_000)
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


def started(body: str, *command: str) -> subprocess.Popen[str]:
    """A process that is ready for a signal."""
    running = subprocess.Popen(
        [*command, sys.executable, "-c", _BEGIN + body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return running


def until_ready(running: subprocess.Popen[str]) -> list[str]:
    assert running.stdout is not None
    lines = []
    while (line := running.stdout.readline().strip()) != "ready":
        assert line, running.stderr and running.stderr.read()
        lines.append(line)
    time.sleep(0.1)  # until it is in what it does next
    return lines


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_is_raised_where_it_is_heard(number: signal.Signals, code: int) -> None:
    running = started(_LOOP)
    until_ready(running)
    begun = time.monotonic()
    running.send_signal(number)
    assert running.communicate(timeout=10) == ("True stopped there\n", "")
    assert running.returncode == code
    assert time.monotonic() - begun < 1.5


def test_where_it_is_not_heard_the_process_leaves_before_two_seconds_are_over_and_takes_its_children_along() -> None:
    running = started(_C_CODE)
    (child,) = until_ready(running)
    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=10) == ("", "stopped there\n")
    assert 1.4 < time.monotonic() - begun < 2
    assert running.returncode == 143
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_told_twice_it_leaves_at_once() -> None:
    running = started(_C_CODE)
    until_ready(running)
    begun = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=10) == 130
    assert time.monotonic() - begun < 1
    running.communicate()


def test_the_other_signal_is_no_second_one() -> None:
    running = started(_C_CODE)
    until_ready(running)
    begun = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 130
    assert time.monotonic() - begun > 1.4
    running.communicate()


def test_what_defers_it_comes_to_its_end() -> None:
    running = started(_DEFERRED)
    until_ready(running)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=10) == ("inner is done\nouter is done\n", "")


def test_a_signal_that_is_ignored_from_the_start_stays_so() -> None:
    running = started(_LOOP.replace("sleep(20)", "sleep(0.5)"), "env", "sh", "-c", 'trap "" INT; exec "$@"', "sh")
    until_ready(running)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=10) == ("", "")
    assert running.returncode == 0
