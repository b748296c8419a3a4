"""A control: no score should do worse."""

import torch
from torch import Generator, Tensor

from compress.errors import CompressError
from compress.importance import importance


@importance(reads="generator")
def random(units: int, generator: Generator) -> Tensor:
    """A random number a unit, the same for the same seed.

    Shapes: number of units -> (units,)
    Units:  none: uniform between 0 and 1
    Zero:   for no unit by design
    Source: the control of Li et al. 2017, arXiv:1608.08710, section 4.4
    Raises: CompressError if the number of units is negative
    """
    if units < 0:
        raise CompressError(f"random: {units} is no number of units.")
    return torch.rand(units, generator=generator)
