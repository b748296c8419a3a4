"""PyTorch on the processor, in fp32: what the other targets are compared with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import InputError
from compress.files import write_folder
from compress.targets import Extent, Feeds, Option, Session
from compress.targets._engine import missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedModel


class PyTorch:
    """Serves a checkpoint folder, plain or pruned, with SDPA attention."""

    reads: Literal["checkpoint"] = "checkpoint"
    precisions: Mapping[str, str | None] = {"fp32": None}
    recipes: frozenset[str] = frozenset()
    options: Mapping[str, Option] = {}
    bounded = False
    reproducible = True
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    packages = ("torch", "transformers")
    predict = None

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why PyTorch cannot be used here, if so."""
        return missing(*self.packages)

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Nothing: what is built runs here."""
        return None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """The folder `pytorch`."""
        return "pytorch"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Copy the checkpoint folder's files; nothing is done if it is `out` already."""
        if not (source / "config.json").is_file():
            raise InputError(f"{source}: no checkpoint folder: it has no config.json.")
        if source.resolve() != out.resolve():
            with write_folder(out) as made:
                shutil.copytree(source, made, dirs_exist_ok=True)
        return {}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a checkpoint folder."""
        from compress.encoders.checkpoint import load
        from compress.encoders.families import family_of

        model = load(file)
        return _Session(model, family_of(model).inputs, threads)


class _Session:
    def __init__(self, model: PreTrainedModel, inputs: tuple[str, ...], threads: int) -> None:
        import torch

        self._torch = torch
        self._model: PreTrainedModel | None = model
        self._inputs = inputs
        self._threads = threads
        self._before = torch.get_num_threads()

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        torch, model = self._torch, self._model
        if model is None:
            raise RuntimeError("the session is closed")
        if torch.get_num_threads() != self._threads:  # one number for the whole process: another session may differ
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            inputs = {name: torch.from_numpy(feeds[name]) for name in self._inputs}
            logits: NDArray[np.float32] = model(**inputs).logits.float().numpy()
        return logits

    def close(self) -> None:
        self._model = None
        self._torch.set_num_threads(self._before)


pytorch = PyTorch()
