"""One run at a time on a run folder."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from compress.errors import NotAvailable
from compress.files import halves, write_text

_PATIENCE_S = 1.0
"""For a holder to say who it is: until then the file may tell of one that was killed."""


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Hold the run folder for this process. The system lets go of it when the process ends, however it does.

    Raises: NotAvailable naming the process that holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / ".lock")
    holder = run / ".holder"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise NotAvailable(f"{run} is in use by {_who(holder)}. Wait for it, or stop it.") from error
    try:
        for half in halves(holder):
            half.unlink(missing_ok=True)
        write_text(holder, f"process {os.getpid()} on {socket.gethostname()}\n")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _who(holder: Path) -> str:
    """The process that the file names, if there can be one."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            said = holder.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            said = ""
        if _alive(said):
            return said
        if time.monotonic() > deadline:
            return "another process"
        time.sleep(0.05)


def _alive(said: str) -> bool:
    """Whether a file names a process; one of another machine is taken to live."""
    import psutil

    found = re.fullmatch(r"process (\d{1,9}) on (.+)", said)
    return found is not None and (found[2] != socket.gethostname() or psutil.pid_exists(int(found[1])))
