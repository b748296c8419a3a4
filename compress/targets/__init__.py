"""Deployment targets: one file each, which makes a model's deployable file and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from compress.errors import UnknownName
from compress.registry import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Feeds: TypeAlias = "Mapping[str, NDArray[np.int64]]"
"""One batch: input_ids, attention_mask and, for models that take it, token_type_ids, each (batch, sequence)."""


class Session(Protocol):
    """A loaded model that answers."""

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        """The logits of a batch, (batch, labels). Feeds that the model does not take are left aside."""

    def close(self) -> None:
        """Free what the session holds; it cannot answer afterwards."""


class Target(Protocol):
    """What a file of this package defines under its own name. Importing the file imports no engine.

    `build` and `open` are for where `unavailable()` is None.
    """

    @property
    def reads(self) -> Literal["graph", "checkpoint"]:
        """What `build` is given: an ONNX graph, rewritten by a recipe where one is asked for, or a checkpoint folder."""

    @property
    def precisions(self) -> Mapping[str, str | None]:
        """The precisions it can be built in, and the recipe each takes unless told otherwise; None: as the model is."""

    @property
    def recipes(self) -> frozenset[str]:
        """The recipes that may be asked for in place of the default one of an integer precision."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The installed packages whose versions change what is built and how fast it answers."""

    @property
    def predict(self) -> Path | None:
        """A script that answers texts with what was built, without this program; copied beside it as `predict.py`.

        It reads `tokenizer.json`, saved without truncation and padding, and `preprocess.json`, an object of `labels`
        (names in the order of their ids), `max_length`, `truncation`, `texts` (how many a row has: 1, or 2 for pairs),
        `inputs` (names in the model's order: ids, attention mask, then token types if it takes them), `file` (what is run,
        relative to the script) and `settings` (what `open` needs besides it).
        """

    def unavailable(self) -> str | None:
        """Why this target cannot be built or run here and what to install; None if it can. Quick: imports nothing."""

    def file_name(self, precision: str, recipe: str | None) -> str:
        """Where the file goes, relative to the exported folder, for a precision and the recipe it is built with."""

    def build(self, source: Path, precision: str, out: Path) -> dict[str, Any]:
        """Make the deployable file (or folder) `out` from `source`, whole or not at all.

        Returns the settings that `open` needs besides the file, as JSON can hold them.
        Raises: InputError if the source cannot be built.
        """

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load what `build` made with the settings it returned, to run on `threads` threads.

        Raises: InputError if the file cannot be loaded.
        """


class Export(NamedTuple):
    """One way to deploy a model, as an id such as `onnxruntime-int8` names it."""

    target: str
    precision: str
    recipe: str | None
    """The quantization recipe, if it is asked for by name."""

    @property
    def id(self) -> str:
        """Target and precision; a recipe that is asked for counts too."""
        return f"{self.target}-{self.precision}" + (f"-{self.recipe}" if self.recipe else "")


def named(name: str) -> Export:
    """The way to deploy that an id means.

    Raises: UnknownName if no target has such a precision, or such a recipe for it
    """
    known = {}
    for target in TARGETS.names():
        knows: Target = TARGETS.load(target)
        for precision, recipe in knows.precisions.items():
            asked = sorted(knows.recipes) if recipe in knows.recipes else []
            known.update({export.id: export for export in (Export(target, precision, one) for one in (None, *asked))})
    if name not in known:
        raise UnknownName("export", name, known)
    return known[name]
