"""Where a training runs: one process on one device, or several as `accelerate launch` started them."""

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
