"""What is cut out of a student."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from compress.config.group import Closed, Positive
from compress.config.settings.learning import Between, Recover
from compress.config.settings.names import Tokens


def _off(value: Any) -> Any:
    """`false` stands for nothing."""
    return None if value is False else value


def _sized(value: Any) -> Any:
    """A bare number stands for the size."""
    return {"size": value} if isinstance(value, int) and not isinstance(value, bool) else value


class KeptTokens(Closed):
    """Which tokens a student keeps. Left empty: those of the rows it learned from.

    Those that any text needs to be spelled stay whatever is asked: special tokens and the smallest pieces, single
    characters or bytes.
    """

    size: Annotated[int, Field(ge=64)] | None = None
    """Number of tokens kept: those that any text needs, then the most frequent ones of the rows it learned from."""
    min_frequency: Positive | None = None
    """Tokens that are seen less often in the rows it learned from go; with `size` alone, unseen ones may fill it up."""


Kept = Annotated[float, Field(gt=0, lt=1)]
TARGETED: tuple[Literal["flops", "parameters", "size_mb", "speedup"], ...] = (
    "flops",
    "parameters",
    "size_mb",
    "speedup",
)


class Target(Closed):
    """What a cut is to reach: one of `flops`, `parameters`, `size_mb` and `speedup`."""

    flops: Kept | None = None
    """Share of the floating-point operations of the encoder's layers that is kept, those inside attention included."""
    parameters: Kept | None = None
    """Share of the parameters of the encoder's layers that is kept; embeddings and heads are not counted."""
    size_mb: Annotated[float, Field(gt=0)] | None = None
    """Size of the file that is written, in MB (10^6 bytes); `on` says which."""
    speedup: Annotated[float, Field(gt=1)] | None = None
    """How many times faster than before the cut, both measured in the runtime and precision of `on`: ratio of the medians."""
    on: str | None = None
    """The export that a size or a speed-up is measured on, such as `onnxruntime-int8`."""
    batch: Positive = 1
    """Rows in one call, for a speed-up."""
    sequence: Tokens | None = None
    """Tokens of each row, for a speed-up and for FLOPs; the mean of the training rows if left out."""
    threads: Positive = 1
    """Threads the runtime may use, for a speed-up."""

    @property
    def kind(self) -> Literal["flops", "parameters", "size_mb", "speedup"]:
        """The one that is given."""
        return next(kind for kind in TARGETED if getattr(self, kind) is not None)

    @field_validator("batch", "threads", "sequence", "on")
    @classmethod
    def _read(cls, value: Any, field: ValidationInfo) -> Any:
        """A key that the target does not read."""
        readers = {"on": ("size_mb", "speedup"), "sequence": ("flops", "speedup")}.get(
            str(field.field_name), ("speedup",)
        )
        given = [kind for kind in TARGETED if field.data.get(kind) is not None]
        if len(given) == 1 and given[0] not in readers:
            raise ValueError(f"is not read with `{given[0]}`, only with {' and '.join(readers)}. Leave it out")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [kind for kind in TARGETED if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(TARGETED)}{f', not {len(given)}' if given else ''}")
        if given[0] in ("size_mb", "speedup") and self.on is None:
            raise ValueError(f"`{given[0]}` needs `on`: the export it is measured on, such as `onnxruntime-int8`")
        return self


class Prune(Closed):
    """What is cut out of a student."""

    heads: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all attention heads that is removed."""
    neurons: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all feed-forward neurons that is removed."""
    vocabulary: Annotated[KeptTokens, BeforeValidator(_sized, json_schema_input_type=int | KeptTokens)] | None = None
    """Which tokens are kept: a number of them, `{size, min_frequency}`, or `{}` for those of the rows it learned from."""
    target: Target | None = None
    """What the cut is to reach, in place of `heads` and `neurons`: heads and neurons are chosen together for it."""
    blocks: bool = False
    """With a `target`: a layer may lose its whole attention block or its whole feed-forward block."""
    hidden: Positive | None = None
    """Hidden width kept: the states' principal directions on rows it learned from; heads keep the width they have."""
    embedding_rank: Positive | None = None
    """Rank kept of the word embeddings: their table becomes the product of two small ones."""
    importance: str = "fisher"
    """The score that decides which units go."""
    rearrange: bool = False
    """Swap units of a layer as long as the block of the Fisher information says that two together matter less."""
    refit: bool = True
    """Set the remaining output weights anew by least squares, so that each block answers as before the cut."""
    rows: Positive = 2048
    """Training rows that the score is computed on and that `refit` fits."""
    multiple: Positive = 8
    """A layer that is cut keeps a multiple of so many neurons."""
    recover: Annotated[
        Recover | None, BeforeValidator(_off, json_schema_input_type=Recover | Literal[False] | None)
    ] = Recover()
    """Training after the cut; `false`: none."""
    steps: Positive = 1
    """Cuts that the way to the asked shares or the target is gone in, most of it in the first ones; the student is trained after each."""
    between: Between = Between()
    """Training after each of several cuts but the last, which `recover` follows."""

    @property
    def units(self) -> bool:
        """Whether heads or neurons are cut."""
        return bool(self.heads or self.neurons or self.target)

    @property
    def reduces(self) -> bool:
        """Whether tokens or widths of the whole model are cut, which are chosen on the rows that were learned from."""
        return self.vocabulary is not None or self.hidden is not None or self.embedding_rank is not None

    @property
    def trains(self) -> bool:
        """Whether anything is trained, between the cuts or after them."""
        return self.recover is not None or self.steps > 1

    @field_validator("between")
    @classmethod
    def _several(cls, between: Between, info: ValidationInfo) -> Between:
        if info.data.get("steps") == 1:
            raise ValueError("is read with `steps` above 1. Leave it out, or give `steps`")
        return between

    @field_validator("target")
    @classmethod
    def _either(cls, target: Target | None, field: ValidationInfo) -> Target | None:
        if target is not None and (field.data.get("heads") or field.data.get("neurons")):
            raise ValueError("a target chooses the heads and neurons itself. Give it, or `heads` and `neurons`")
        return target

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.units and not self.reduces:
            raise ValueError(
                "nothing to cut: give a `target`, a share of `heads` or `neurons` above 0, a `vocabulary`, `hidden` or "
                "`embedding_rank`"
            )
        if self.steps > 1 and not self.units:
            raise ValueError("`steps` are cuts of heads and neurons: give a share of them, or a `target`")
        if self.blocks and self.target is None:
            raise ValueError("`blocks` is for the search of a `target`, and none is given")
        return self
