"""What a model can be asked to do: one task a file, named in YAML by the file's name with hyphens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.registry import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Task:
    """What a kind of task gives."""

    answers: str
    """What `predict` gives; a metric whose `reads` says otherwise does not fit."""
    predict: Callable[[NDArray[Any]], NDArray[Any]]
    """The answers of a batch: logits (n, classes) -> class numbers (n,)."""
    probabilities: bool = False
    """Whether the softmax of a row's logits is the probability of each class, so that divergence and calibration have a meaning."""
    pairs: bool = False
    """Whether a row has two texts, so that `text_pair` is given."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that judge such answers."""
        names = METRICS.names()
        return tuple(name for name in names if getattr(METRICS.load(name), "reads", "classes") == self.answers)
