"""Exported graphs of tiny models, made once for all tests: an export takes seconds."""

import atexit
import tempfile
from functools import cache
from pathlib import Path

import numpy
import onnxruntime
import tiny
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from compress.encoders.graph import export_graph
from compress.encoders.surgery import Masks, cut

FOLDER = tempfile.TemporaryDirectory()
atexit.register(FOLDER.cleanup)

Feeds = dict[str, NDArray[numpy.int64]]


@cache
def model(family: str = "bert", *, uneven: bool = False) -> PreTrainedModel:
    """A tiny model of two layers; an uneven one keeps three heads and five neurons less in its first layer.

    Whole too is an uneven model of a family that cannot be cut.
    """
    whole = tiny.model(family)
    if not uneven or family not in tiny.CUTTABLE:
        return whole
    masks = Masks.full(whole)
    masks.heads[0][1] = False
    masks.neurons[0][3:8] = False
    return cut(whole, masks)


@cache
def graph(family: str = "bert", *, uneven: bool = False) -> Path:
    """The file of its graph; not to be changed."""
    path = Path(FOLDER.name, f"{family}{'-uneven' if uneven else ''}.onnx")
    export_graph(model(family, uneven=uneven), path)
    return path


def feeds(family: str = "bert", rows: int = 3, length: int = 8, seed: int = 0) -> Feeds:
    """A tiny batch for a graph."""
    return {name: value.numpy() for name, value in tiny.batch(model(family), rows, length, seed).items()}


def calibration() -> list[Feeds]:
    """Eight single rows of growing length, for the `bert` graph."""
    return [feeds(rows=1, length=8 + seed, seed=seed) for seed in range(8)]


def expected(built: PreTrainedModel, batch: Feeds) -> NDArray[numpy.float32]:
    """The logits of a model in PyTorch."""
    with torch.inference_mode():
        logits: NDArray[numpy.float32] = built(
            **{name: torch.from_numpy(value) for name, value in batch.items()}
        ).logits.numpy()
    return logits


def answers(path: Path, batch: Feeds) -> NDArray[numpy.float32]:
    """The logits of a graph file in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], batch)[0]
