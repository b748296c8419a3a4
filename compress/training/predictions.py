"""A model's answers on many rows, as fast as training computes them."""

from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress import interruption
from compress.data.batches import Encoded, feeds
from compress.errors import TrainingFailed
from compress.training.precision import Precision, autocast

SIZE = 64
"""Rows of like length in one batch."""


def logits(
    module: nn.Module, rows: Encoded, *, device: torch.device, precision: Precision, batches: slice = slice(None)
) -> tuple[NDArray[np.int64], Tensor]:
    """The numbers of the rows and the module's logits for them, shortest rows first.

    `batches` picks some of all batches, which are always cut the same way. The module's mode is left as it was.
    Shapes: (n,), (n, classes) fp32 on the processor; with no batch picked (0,), (0, 0)
    Raises: TrainingFailed if an answer is no finite number: the largest of NaN would be the first class
    """
    mode, numbers, answers = module.training, [], []
    module.eval()
    try:
        with torch.no_grad(), autocast(device, precision):
            for chosen, feed in islice(feeds(rows, SIZE), batches.start, batches.stop, batches.step):
                if interruption.asked():  # while training defers it
                    raise KeyboardInterrupt
                inputs = {name: torch.from_numpy(values).to(device) for name, values in feed.items()}
                numbers.append(chosen)
                answers.append(module(**inputs)["logits"].float().cpu())
                broken = chosen[(~answers[-1].isfinite().all(-1)).numpy()]
                if len(broken):
                    row = rows.number(int(broken[0]))
                    raise TrainingFailed(f"the model's logits for row {row} (the first is 0) are no finite numbers.")
    finally:
        module.train(mode)
    if not answers:
        return np.empty(0, np.int64), torch.empty(0, 0)
    return np.concatenate(numbers), torch.cat(answers)


class Judged(NamedTuple):
    """Answers beside the labels."""

    right: int
    """Rows that get their own label."""
    lowest: int
    """The smallest class that any row gets."""
    highest: int


def judged(
    module: nn.Module, rows: Encoded, *, device: torch.device, precision: Precision, batches: slice = slice(None)
) -> Judged | None:
    """How a module answers rows; None with no batch picked. Arguments and errors as in `logits`."""
    numbers, found = logits(module, rows, device=device, precision=precision, batches=batches)
    if not len(numbers):
        return None
    answers = found.argmax(-1).numpy()
    return Judged(int((answers == rows.labels[numbers]).sum()), int(answers.min()), int(answers.max()))
