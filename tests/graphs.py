"""Exported graphs of tiny models, made once for all tests: an export takes seconds."""

import atexit
import tempfile
from functools import cache
from pathlib import Path

import numpy
import onnx
import onnxruntime
import tiny
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from transformers import PreTrainedModel

from compress.encoders.graph import export_graph
from compress.encoders.surgery import Masks, cut
from compress.quantization import Material

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


def labelled() -> list[tuple[Feeds, NDArray[numpy.int64]]]:
    """Rows for the `bert` graph with the labels that it answers itself."""
    batches = [feeds(rows=4, length=8 + seed, seed=100 + seed) for seed in range(8)]
    return [(batch, answers(graph(), batch).argmax(-1)) for batch in batches]


def material(precision: str = "int8") -> Material:
    """What a recipe is given."""
    return Material(precision, calibration, labelled)


def expected(built: PreTrainedModel, batch: Feeds) -> NDArray[numpy.float32]:
    """The logits of a model in PyTorch."""
    with torch.inference_mode():
        logits: NDArray[numpy.float32] = built(
            **{name: torch.from_numpy(value) for name, value in batch.items()}
        ).logits.numpy()
    return logits


def answers(path: Path, batch: Feeds) -> NDArray[numpy.float32]:
    """The logits of a graph file in ONNX Runtime; by the letter of ONNX where that lacks the types."""
    weights = onnx.load(path, load_external_data=False).graph.initializer if path.suffix == ".onnx" else ()
    if {tensor.data_type for tensor in weights} & {onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT8E4M3FN}:
        return by_the_letter(path, batch)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["logits"], batch)[0]


def by_the_letter(path: Path, batch: Feeds) -> NDArray[numpy.float32]:
    """The logits of a graph file as ONNX defines them: each value is rounded to its type, whatever runtimes do."""
    return ReferenceEvaluator(str(path)).run(["logits"], batch)[0]
