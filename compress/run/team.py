"""Several processes on one run, as `accelerate launch` and torchrun start them.

The first one does everything that a single process does. The others wait until it trains, and train with it; what they
have then is thrown away, since the first one has the same.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from compress.errors import CompressError
from compress.run.steps import Step

_GONE = re.compile("by peer|Broken pipe|remote process")
"""What Gloo and NCCL say of a broken connection; the class of the error is no help."""


def several() -> bool:
    """Whether this process is one of several."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1


def first() -> bool:
    """Whether this process is the first, or the only one."""
    return not several() or int(os.environ.get("RANK", 0)) == 0


def called() -> str | None:
    """On another than the first process: the next step to take part in; None when there is none any more."""
    from compress.training import devices

    name = devices.told()
    if name is None:
        devices.part()
    return name


@contextmanager
def connected() -> Iterator[None]:
    """Raises: CompressError if another process has gone, in place of what the libraries raise then."""
    try:
        yield
    except RuntimeError as error:
        if several() and _GONE.search(str(error)):
            which = f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}"
            raise CompressError(f"{which}: another one has gone. What that one says is the cause.") from error
        raise


class Others:
    """The other processes, as the first one sees them; they are let go at the end of the context, if not before."""

    def __init__(self) -> None:
        self._waiting = several()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.dismiss()

    @contextmanager
    def training(self, step: Step) -> Iterator[None]:
        """Have them take part in a step, if it is one that trains. Should it fail here, nobody waits for a word any more."""
        if self._waiting and step.trains:
            from compress.training import devices

            with connected():
                devices.told(step.name)
                self._waiting = False
                yield
            self._waiting = True
        else:
            yield

    def dismiss(self) -> None:
        """Let them go."""
        if self._waiting:
            from compress.training import devices

            devices.told(None)
            devices.part()
            self._waiting = False
