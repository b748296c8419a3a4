"""A model's answers on many rows, as fast as training computes them."""

from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.data.batches import Encoded, feeds
from compress.training.precision import Precision, autocast

SIZE = 64
"""Rows of like length in one batch."""


def logits(
    module: nn.Module, rows: Encoded, *, device: torch.device, precision: Precision, batches: slice = slice(None)
) -> tuple[NDArray[np.int64], Tensor]:
    """The numbers of the rows and the module's logits for them, shortest rows first.

    `batches` picks some of all batches, which are always cut the same way. The module's mode is left as it was.
    Shapes: (n,), (n, classes) fp32 on the processor; with no batch picked (0,), (0, 0)
    """
    mode, numbers, answers = module.training, [], []
    module.eval()
    try:
        with torch.no_grad(), autocast(device, precision):
            for chosen, feed in islice(feeds(rows, SIZE), batches.start, batches.stop, batches.step):
                inputs = {name: torch.from_numpy(values).to(device) for name, values in feed.items()}
                numbers.append(chosen)
                answers.append(module(**inputs)["logits"].float().cpu())
    finally:
        module.train(mode)
    if not answers:
        return np.empty(0, np.int64), torch.empty(0, 0)
    return np.concatenate(numbers), torch.cat(answers)


def right(
    module: nn.Module, rows: Encoded, *, device: torch.device, precision: Precision, batches: slice = slice(None)
) -> int:
    """How many of the rows get their own label."""
    numbers, answers = logits(module, rows, device=device, precision=precision, batches=batches)
    return int((answers.argmax(-1).numpy() == rows.labels[numbers]).sum()) if len(numbers) else 0
