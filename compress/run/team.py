"""Several processes on one run, as `accelerate launch` and torchrun start them.

The first one does everything that a single process does. The others wait until it trains, and train with it; what they
have then is thrown away, since the first one has the same.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from compress.errors import CompressError
from compress.run.job import Job

_GONE = re.compile("by peer|Broken pipe|remote process|Timed out|timeout", re.IGNORECASE)
"""What Gloo says of a broken connection; its errors have no class of their own."""


def several() -> bool:
    """Whether this process is one of several."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1


def first() -> bool:
    """Whether this process is the first, or the only one."""
    return not several() or int(os.environ.get("RANK", 0)) == 0


def called() -> Job | None:
    """On another than the first process: what to take part in next; None when there is nothing any more."""
    from compress.training import devices

    job: Job | None = devices.told()
    if job is None:
        devices.part()
    return job


@contextmanager
def connected() -> Iterator[None]:
    """Raises: CompressError if another process has gone, in place of what the libraries raise then."""
    try:
        yield
    except RuntimeError as error:
        if several() and _broken(error):
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
    def training(self, job: Job) -> Iterator[None]:
        """Have them take part. Should it fail here, nobody waits for a word any more."""
        if not self._waiting:
            yield
            return
        from compress.training import devices

        with connected():
            devices.told(job)
            self._waiting = False
            yield
        self._waiting = True

    def dismiss(self) -> None:
        """Let them go; that one has gone already is no matter."""
        if self._waiting:
            from compress.training import devices

            self._waiting = False
            with suppress(RuntimeError):
                devices.told(None)
                devices.part()


def _broken(error: RuntimeError) -> bool:
    from torch.distributed import DistError

    return isinstance(error, DistError) or bool(_GONE.search(str(error)))
