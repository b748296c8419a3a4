"""Ctrl-C and SIGTERM: what runs stops where nothing is lost or, if it does not get there in time, all the same."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE_S = 1.5
"""From the first signal until the process leaves, wherever it is: while C code runs, Python code heeds no signal."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h"


class _State:
    """Signals are the process's; so is this."""

    number: int | None = None
    """The first signal that came."""
    waiting = 0
    """Blocks that it waits for."""
    words = "interrupted"
    """Of the process that stops."""


_state = _State()


def asked() -> bool:
    """Whether the process was asked to stop."""
    return _state.number is not None


def exit_code() -> int:
    """What a shell tells of a program that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_state.number or signal.SIGINT)


def words() -> str:
    """What is told of the process that stops."""
    return _state.words


@contextmanager
def says(said: str) -> Iterator[None]:
    """Have other words told if it stops in the block."""
    before, _state.words = _state.words, said
    try:
        yield
    finally:
        if not asked():
            _state.words = before


@contextmanager
def deferred() -> Iterator[None]:
    """Let the signals wait for the end of the block, which raises KeyboardInterrupt then, as it may itself before."""
    _state.waiting += 1
    try:
        yield
    finally:
        _state.waiting -= 1
    if asked() and not _state.waiting:
        raise KeyboardInterrupt


@contextmanager
def heeded() -> Iterator[None]:
    """Heed the signals, in the main thread: the first one raises KeyboardInterrupt there.

    A process that is still there `PATIENCE_S` later, or is told twice, leaves at once: it kills its children, says its
    `words` and exits. Nothing is cleaned up then, which the next start does.
    A signal that the process was started to ignore, as by `nohup`, stays ignored.
    """
    chosen = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    told, woken = socket.socketpair()
    told.setblocking(False)
    stderr = os.dup(2)  # what an engine says may be kept from the terminal when it is time to leave
    before = {number: signal.signal(number, _heed) for number in chosen}
    waker = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    guard = threading.Thread(target=_guard, args=(woken, stderr), name="interruption", daemon=True)
    guard.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in before.items():
            signal.signal(number, handler)
        _state.number, _state.words = None, _State.words
        told.close()
        guard.join()
        woken.close()
        os.close(stderr)


def _heed(number: int, _frame: FrameType | None) -> None:
    if _state.number is None:
        _state.number = number
        if not _state.waiting:
            raise KeyboardInterrupt


def _guard(woken: socket.socket, stderr: int) -> None:
    """Wait for signals, told by their numbers, and leave when it is time; ends when the other socket is closed."""
    first, deadline = 0, 0.0
    while True:
        woken.settimeout(max(deadline - time.monotonic(), 1e-3) if first else None)
        try:
            came = woken.recv(1)
        except TimeoutError:
            _leave(first, stderr)
        if not came:
            return
        if not first and came[0] in _SIGNALS:
            first, deadline = came[0], time.monotonic() + PATIENCE_S
        elif came[0] == first:  # launchers pass Ctrl-C on as SIGTERM: that is no second one
            _leave(first, stderr)


def _leave(number: int, stderr: int) -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.Error:
            continue
    try:
        os.write(stderr, (_SHOW_CURSOR if os.isatty(stderr) else b"") + f"{_state.words}\n".encode())
    finally:
        os._exit(128 + number)
