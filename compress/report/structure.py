"""What is left of a student, as a report says it."""

from typing import Annotated, Literal

from pydantic import Field

from compress.config.group import Closed, Share

Count = Annotated[int, Field(ge=0)]
PROMISE = 0.1
"""How far from its target, as a share of it, a cut may end before a reader is told."""


class Layer(Closed):
    """The width of one layer."""

    heads: Count
    """Attention heads."""
    neurons: Count
    """Feed-forward neurons."""


class Removed(Closed):
    """How much of all heads, or of all neurons, was cut."""

    asked: Share | None
    """The share that was asked for; null where the cut was made for a target."""
    removed: Share
    """The share that is gone."""


class Vocabulary(Closed):
    """What is left of a student's tokens."""

    before: Count
    """Tokens before the cut."""
    after: Count
    """Tokens kept."""
    train: Share
    """Share of the tokens of the rows that were learned from, special ones aside, that are still whole; the others are spelled in pieces."""
    validation: Share
    """The same of the validation rows."""


class Target(Closed):
    """What a cut was to reach, and what it reached."""

    kind: Literal["flops", "parameters", "size_mb", "speedup"]
    """`flops` and `parameters`: share of the encoder's that is kept; `size_mb`: of the file; `speedup`: ratio of medians."""
    asked: Annotated[float, Field(gt=0)]
    """What was asked for."""
    reached: Annotated[float, Field(gt=0)]
    """What was counted or measured on the cut student, before its recovery."""
    on: str | None = None
    """The export it was measured on."""
    batch: Count | None = None
    """Rows in one call."""
    sequence: Count | None = None
    """Tokens of each row."""
    threads: Count | None = None
    """Threads of the runtime."""
    rounds: Count
    """How many cuts were tried and measured."""

    @property
    def missed(self) -> bool:
        """Whether it was missed: a size by exceeding it, the others by more than is promised."""
        if self.kind == "size_mb":
            return self.reached > self.asked
        return abs(self.reached / self.asked - 1) > PROMISE


class Width(Closed):
    """A width of the whole model."""

    before: Count
    """Before the cut."""
    after: Count
    """As it is."""


class Structure(Closed):
    """What is left of a student's layers, widths and tokens."""

    layers: tuple[Layer, ...]
    """Each layer as it is."""
    of: Layer
    """Each layer before the cut."""
    shares: dict[Literal["heads", "neurons"], Removed] = {}
    """How much was asked for and cut; empty in reports that were made before it was recorded."""
    target: Target | None = None
    """What the cut was to reach, if it was made for a target."""
    widths: dict[Literal["hidden", "embedding_rank"], Width] = {}
    """Hidden dimensions and rank of the word embeddings, those of the two that were cut."""
    vocabulary: Vocabulary | None = None
    """The tokens left, if some were cut."""

    @property
    def cut(self) -> bool:
        """Whether anything was cut."""
        return bool(self.widths or self.vocabulary) or any(layer != self.of for layer in self.layers)
