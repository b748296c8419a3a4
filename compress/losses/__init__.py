"""What a student is punished for: one formula a file, named in YAML by the file's name.

A loss says what it reads with the decorator below; the training objective passes it that, and of the settings exactly
those that its signature names (`temperature`, `mask`).

What stands for both models' sides, n rows of t tokens: `logits` (n, classes); `labels` (n,) in the teacher's place;
`embeddings` (n, t, hidden); of each layer `hidden_states` (n, t, hidden), `attention_scores` (n, heads, t, t) and
`relations`, the layer's (query, key, value), each (n, heads, t, size); `sentence` (n, hidden), the first token's state
behind the last layer.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

Reads = Literal["logits", "labels", "embeddings", "hidden_states", "attention_scores", "relations", "sentence"]
"""What a loss compares: the logits with the teacher's or with the labels, or the inner states of both models."""
PREDICTIONS: tuple[Reads, ...] = ("logits", "labels")
"""What is there of a model that reads other tokens: its answers. All else stands token by token."""
LAYERS: tuple[Reads, ...] = ("hidden_states", "attention_scores", "relations")
"""What is read of each layer, of those that the layer mapping names."""

UNLABELLED = -100
"""The label of a row that has none: losses on labels leave the row out. PyTorch's `ignore_index`."""

Formula = TypeVar("Formula", bound=Callable[..., Any])


def loss(reads: Reads) -> Callable[[Formula], Formula]:
    """Mark a function as a loss that compares `reads`; the mark is its attribute of that name."""

    def mark(formula: Formula) -> Formula:
        formula.__dict__["reads"] = reads
        return formula

    return mark
