"""One label for one text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.data.tasks import Task


def _largest(logits: NDArray[Any]) -> NDArray[np.int64]:
    return np.asarray(logits.argmax(axis=-1), np.int64)


text_classification = Task(answers="classes", predict=_largest, probabilities=True)
"""One label for one text, such as its sentiment or the intent of a command."""
