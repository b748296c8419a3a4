"""Where a training runs: one process on one device, or several as `accelerate launch` started them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def cpu_only() -> bool:
    """Whether the processor computes: there is nothing else, or `accelerate launch --cpu` says so."""
    return not torch.accelerator.is_available() or bool(parse_flag_from_env("ACCELERATE_USE_CPU"))


def place() -> PartialState:
    """This process among all of the training, and its device."""
    # Left to itself, accelerate does not see that processes on processors belong together.
    return PartialState(cpu=cpu_only())


@contextmanager
def first_alone() -> Iterator[None]:
    """The first of several processes goes through the block; the others, who waited, after it."""
    here = place()
    line = _line() if here.num_processes > 1 else None
    if line is not None and not here.is_main_process:
        torch.distributed.barrier(group=line)
    yield
    if line is not None and here.is_main_process:
        torch.distributed.barrier(group=line)


def told(message: Any = None) -> Any:
    """What the first of several processes says: it gives the message, the others wait for it, for days if need be."""
    place()
    said = [message]
    torch.distributed.broadcast_object_list(said, src=0, group=_line())
    return said[0]


def part() -> None:
    """Let the other processes go: nothing is said or trained together any more."""
    torch.distributed.destroy_process_group()


@cache
def _line() -> "torch.distributed.ProcessGroup":
    """A connection beside the one of the training, whose operations end after minutes without an answer."""
    return torch.distributed.new_group(backend="gloo", timeout=timedelta(days=30))  # type: ignore[no-any-return]
