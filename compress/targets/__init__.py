"""Deployment targets: one file each, which makes a model's deployable file and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from compress.errors import InputError, UnknownName
from compress.registry import RECIPES, TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Feeds: TypeAlias = "Mapping[str, NDArray[np.int64]]"
"""One batch: input_ids, attention_mask and, for models that take it, token_type_ids, each (batch, sequence)."""


RUN = ("file", "settings", "batch")
"""What `preprocess.json` has of the description of the file that is run."""

Option: TypeAlias = bool | int | str | tuple[str, ...]
"""A setting of a pipeline that only one target knows."""


class Extent(NamedTuple):
    """The largest call that a built file has to take."""

    batch: int
    tokens: int


class Session(Protocol):
    """A loaded model that answers."""

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        """The logits of a batch, (batch, labels). Feeds that the model does not take are left aside."""

    def close(self) -> None:
        """Free what the session holds; it cannot answer afterwards."""


class Target(Protocol):
    """What a file of this package defines under its own name. Importing the file imports no engine.

    `build` is for where `unavailable()` is None, `open` for where `unrunnable` is None too.
    """

    @property
    def reads(self) -> Literal["graph", "checkpoint"]:
        """What `build` is given: an ONNX graph, rewritten by a recipe where one is asked for, or a checkpoint folder."""

    @property
    def precisions(self) -> Mapping[str, str | None]:
        """The precisions it can be built in, and the recipe each takes unless told otherwise; None: `build` sees to it.

        The first is the plain one, which the others are compared with.
        """

    @property
    def recipes(self) -> frozenset[str]:
        """The recipes that may be asked for by name, for the precisions that they make."""

    @property
    def options(self) -> Mapping[str, Option]:
        """What a pipeline may set for this target alone, each with its default, whose type its values have."""

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """What is wrong with values of `options`, by their names, for a pipeline to be refused before it runs.

        Quick: imports no engine. What the engine alone can tell, `build` does.
        """

    @property
    def bounded(self) -> bool:
        """Whether what is built takes no larger call than it was built for."""

    @property
    def reproducible(self) -> bool:
        """Whether building twice gives the same bytes and not only the same answers."""

    @property
    def tunings(self) -> tuple[Mapping[str, Any], ...]:
        """Settings of `open` to add to those of `build`, which change no answer but the speed.

        Which of them is fastest depends on the machine and is found by timing; where nothing is timed, the first holds.
        """

    @property
    def packages(self) -> tuple[str, ...]:
        """The installed packages whose versions change what is built and how fast it answers."""

    @property
    def predict(self) -> Path | None:
        """A script that answers texts with what was built, without this program; copied beside it as `predict.py`.

        Or a folder of such files, which are copied by their own names.
        It reads `tokenizer.json`, saved without truncation and padding, and `preprocess.json`, an object of `labels`
        (names in the order of their ids), `max_length`, `truncation`, `texts` (how many a row has: 1, or 2 for pairs),
        `inputs` (names in the model's order: ids, attention mask, then token types if it takes them), `file` (what is run,
        relative to the script), `settings` (what `open` needs besides it) and `batch` (the most rows to ask it at once).
        """

    def unavailable(self) -> str | None:
        """Why this target cannot be built here and what to install; None if it can. Quick: imports no engine."""

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Why what was built cannot be run here, such as a missing GPU; None if it can. Quick: imports no engine.

        A precision's own reason may take the engine to find, such as a processor without bf16.
        """

    def file_name(self, precision: str, recipe: str | None) -> str:
        """Where the file goes, relative to the exported folder, for a precision and the recipe it is built with."""

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Make the deployable file (or folder) `out` from `source`, whole or not at all.

        What belongs to a file lies beside it by a name that begins with its own, such as `model.onnx_data`, or for
        `.xml` ends in `.bin`.
        `options` are those of `options` that differ from their defaults.

        Returns the settings that `open` needs besides the file, as JSON can hold them.
        Raises: InputError if the source cannot be built; NotAvailable if the device here lacks the precision.
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


def chosen(target: Target, precision: str, asked: str | None) -> str | None:
    """The recipe that a precision is made by: the one asked for if it makes this precision here, else the target's own."""
    fits = asked in target.recipes and precision in RECIPES.load(asked).precisions if asked else False
    return asked if fits else target.precisions[precision]


def plain(target: Target, precision: str) -> str | None:
    """The precision that a lower one is compared with; None for the plain one itself, and for fp32, which is never lower."""
    first = next(iter(target.precisions))
    return None if precision in (first, "fp32") else first


def deployed(name: str, precision: str, recipe: str | None) -> Export:
    """How a target is deployed in a precision; a recipe that is asked for counts for the precisions that it makes."""
    made = chosen(TARGETS.load(name), precision, recipe)
    return Export(name, precision, recipe if made == recipe else None)


def named(name: str) -> Export:
    """The way to deploy that an id means.

    Raises: UnknownName if no target has such a precision, or such a recipe for it
    """
    known = {}
    for target in TARGETS.names():
        knows: Target = TARGETS.load(target)
        for precision in knows.precisions:
            asked = [one for one in sorted(knows.recipes) if _makes(one, precision)]
            known.update({export.id: export for export in (Export(target, precision, one) for one in (None, *asked))})
    if name not in known:
        raise UnknownName("export", name, known)
    return known[name]


def _makes(recipe: str, precision: str) -> bool:
    try:
        return precision in RECIPES.load(recipe).precisions
    except InputError:  # a broken one of somebody else's; said where it is asked for
        return True
