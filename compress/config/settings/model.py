"""Where weights come from, and the shape of an encoder."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from compress.config.group import Closed, Positive


class Vocabulary(Closed):
    """A WordPiece vocabulary learned from the training rows."""

    size: Annotated[int, Field(ge=64)] = 8000
    """Number of tokens, special ones counted."""
    lowercase: bool = True
    """Fold case and strip accents, as the uncased BERT models do."""
    min_frequency: Positive = 2
    """Word pieces seen less often are left out."""


class Architecture(Closed):
    """The shape of an encoder. In a student's card, what is left out is the teacher's."""

    layers: Positive | None = None
    """Transformer layers."""
    hidden: Positive | None = None
    """Width of the hidden states."""
    heads: Positive | None = None
    """Attention heads of a layer."""
    intermediate: Positive | None = None
    """Neurons of a feed-forward block."""


class Scratch(Closed):
    """An encoder that starts from random weights with a vocabulary of its own."""

    family: str = "bert"
    """Architecture family (a row of `compress/encoders/families.py`)."""
    architecture: Architecture
    """The shape; all four numbers are needed here."""
    vocabulary: Vocabulary = Vocabulary()
    """The WordPiece vocabulary that is learned from the training rows."""
    max_positions: Positive = 512
    """Longest input the position embeddings reach."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [
            key for key in ("layers", "hidden", "heads", "intermediate") if getattr(self.architecture, key) is None
        ]
        if missing:
            raise ValueError(f"the architecture lacks {', '.join(missing)}")
        if self.architecture.hidden % self.architecture.heads:  # type: ignore[operator]
            raise ValueError("`hidden` must be a multiple of `heads`")
        return self


class Model(Closed):
    """Where pretrained weights come from. With several places, the first that is here is taken: folder, package, hub."""

    hub: str | None = None
    """Model id on the Hub."""
    revision: str | None = None
    """Commit or tag on the Hub."""
    folder: str | None = None
    """A local folder, relative to the pipeline file (or to the card)."""
    package: str | None = None
    """An installed Python package that carries the files, with the folder inside: `package_name/folder`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of `model.safetensors`; other content is refused."""
    scratch: Scratch | None = None
    """Train from random weights instead."""

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.scratch is not None:
            if self.hub or self.folder or self.package or self.sha256 or self.revision:
                raise ValueError(
                    "`scratch` starts from random weights: it goes with none of hub, folder, package, sha256"
                )
        elif not (self.hub or self.folder or self.package):
            raise ValueError("give a `hub` id, a `folder`, a `package` or `scratch`")
        if self.revision and not self.hub:
            raise ValueError("`revision` belongs to a `hub` id")
        return self
