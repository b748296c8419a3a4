"""Signals, as processes get them: small ones, so that nothing else takes time."""

import signal
import subprocess
import sys
import time

import processes
import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

_BEGIN = """
import hashlib, subprocess, sys, time
from compress import interruption

def ready():
    print("ready", flush=True)

interruption.PATIENCE_S = float(sys.argv[1])
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


def started(body: str, *command: str, patience_s: float = 60) -> subprocess.Popen[str]:
    """A process that is soon ready for a signal, and leaves so long after it wherever it is."""
    return subprocess.Popen(
        [*command, sys.executable, "-c", _BEGIN + body, str(patience_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_ready(running: subprocess.Popen[str]) -> list[str]:
    assert running.stdout is not None
    lines = []
    while (line := running.stdout.readline().strip()) != "ready":
        assert line, running.stderr and running.stderr.read()
        lines.append(line)
    time.sleep(0.5)  # until it is in what it does next
    return lines


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_is_raised_where_it_is_heard(number: signal.Signals, code: int) -> None:
    running = started(_LOOP)
    until_ready(running)
    running.send_signal(number)
    assert running.communicate(timeout=10) == ("True stopped there\n", "")
    assert running.returncode == code


def test_where_it_is_not_heard_the_process_leaves_all_the_same_and_takes_its_children_along() -> None:
    running = started(_C_CODE, patience_s=0.5)
    (child,) = until_ready(running)
    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=10) == ("", "stopped there\n")
    assert time.monotonic() - begun >= 0.5
    assert running.returncode == 143
    processes.wait_for(lambda: ended(int(child)))


def test_told_twice_it_leaves_at_once() -> None:
    running = started(_C_CODE)
    until_ready(running)
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=10) == 130
    running.communicate()


def test_the_other_signal_is_no_second_one() -> None:
    running = started(_C_CODE, patience_s=1)
    until_ready(running)
    begun = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=10) == 130
    assert time.monotonic() - begun >= 1
    running.communicate()


def test_what_defers_it_comes_to_its_end() -> None:
    running = started(_DEFERRED)
    until_ready(running)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=10) == ("inner is done\nouter is done\n", "")


def test_a_signal_that_is_ignored_from_the_start_stays_so() -> None:
    running = started(_LOOP.replace("sleep(20)", "sleep(2)"), "env", "sh", "-c", 'trap "" INT; exec "$@"', "sh")
    until_ready(running)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=10) == ("", "")
    assert running.returncode == 0
