"""Runs in processes of their own that are quickly there: forked from one that has imported everything."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatch
from multiprocessing.process import BaseProcess
from pathlib import Path

_IMPORTED = [
    "compress.cli.main",
    "compress.cli.watch",
    "compress.run.execute",
    *(f"compress.stages.{stage}" for stage in ("teacher", "distill", "export", "measure", "report")),
    "compress.targets.onnxruntime",
    "compress.targets.pytorch",
    "onnxscript.optimizer",
    "torch.onnx._internal.exporter._core",
]
_CHANGES = {"os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.mkdir": 0}
"""Audit events that change a folder, and the place of the path that is changed."""


def starter() -> Callable[..., BaseProcess]:
    """Makes processes of a function and its arguments."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return lambda function, *arguments: context.Process(target=function, args=arguments)


def run(arguments: list[str], said: Path, fatal: str | None = None, skipped: int = 0) -> None:
    """Be `compress` with these arguments, its output in a file.

    It kills itself just before a file or folder is written, moved or removed whose path ends with the pattern `fatal`,
    once that was let pass so many times.
    """
    from compress import interruption
    from compress.cli import main

    interruption.PATIENCE_S = 600  # how far it comes in its own depends on the machine
    with said.open("wb") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    sys.argv = ["compress", *arguments]
    if fatal is not None:
        kill_before(fatal, skipped)
    main.main()


def kill_before(fatal: str, skipped: int) -> None:
    """Kill this process at a change of a path that ends so."""
    left = skipped

    def hook(event: str, given: tuple[object, ...]) -> None:
        nonlocal left
        if event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR):
            path = given[0]
        elif event in _CHANGES:
            path = given[_CHANGES[event]]
        else:
            return
        if isinstance(path, bytes | str | os.PathLike) and fnmatch(os.fsdecode(path), f"*/{fatal}"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(hook)


def wait_for(done: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
