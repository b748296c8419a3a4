"""How far a quantized graph's answers are from the float graph's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress.errors import InputError

if TYPE_CHECKING:
    from compress.quantization import Validation


class Judged(NamedTuple):
    """A graph on the validation rows."""

    divergence: float
    """Mean Kullback-Leibler divergence of its answers' probabilities from the float graph's, in nats; infinite if some
    are no numbers."""
    accuracy: float
    """Share of the rows answered rightly."""


class Judge:
    """The float graph's answers to the validation rows, which others are compared with; `recipe` is for errors.

    Raises: InputError if there is no row
    """

    def __init__(self, graph: Path, validation: Validation, recipe: str) -> None:
        self.batches = list(validation())
        self.rows = sum(len(labels) for _, labels in self.batches)
        if not self.rows:
            raise InputError(f"the recipe `{recipe}` needs validation rows, and there is none.")
        self.logs = self._logs(graph)
        self.accuracy = self._accuracy(self.logs)

    def __call__(self, graph: Path) -> Judged:
        logs = self._logs(graph)
        apart = float((np.exp(self.logs) * (self.logs - logs)).sum(-1).mean())
        return Judged(apart if np.isfinite(apart) else np.inf, self._accuracy(logs))

    def _accuracy(self, logs: NDArray[np.float64]) -> float:
        labels = np.concatenate([labels for _, labels in self.batches])
        return float(((logs.argmax(-1) == labels) & np.isfinite(logs).all(-1)).mean())

    def _logs(self, graph: Path) -> NDArray[np.float64]:
        """(rows, labels) the logarithms of a graph's probabilities."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        inputs = [value.name for value in session.get_inputs()]
        answers = [session.run(["logits"], {name: feed[name] for name in inputs})[0] for feed, _ in self.batches]
        logits = np.concatenate(answers).astype(np.float64)
        with np.errstate(invalid="ignore"):
            highest = logits.max(-1, keepdims=True)
            logs: NDArray[np.float64] = logits - highest - np.log(np.exp(logits - highest).sum(-1, keepdims=True))
        return logs
