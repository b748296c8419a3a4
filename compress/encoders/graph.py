"""A model's ONNX graph: the form that ONNX based targets and the quantization recipes take it in."""

import linecache
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch.export import ExportedProgram
from torch.fx import graph_module
from transformers import PreTrainedModel

from compress.encoders.families import family_of
from compress.encoders.simplify import simplify
from compress.encoders.tracing import example, traceable
from compress.files import flush

OPSET = 20
"""The first opset with a Gelu operator; 23 adds an Attention operator that several runtimes cannot run."""

MESSAGE_LIMIT_BYTES = 2_000_000_000
"""Above this a graph's weights go to a file of their own beside it: one protobuf message holds 2 GiB at most."""


def export_graph(model: PreTrainedModel, path: Path, *, opset: int = OPSET) -> None:
    """Write the fp32 ONNX graph of a model with a task head, pruned or not; the model is left as it is.

    The graph takes the family's inputs (int64, batch x sequence, both dynamic) and gives `logits` (float32, batch x
    labels). It is traced with eager attention, whose graph is the simplest, and holds no path or name of this machine:
    the same weights give the same bytes. Of the last layer it computes what the classifier reads. Written whole or not
    at all.
    """
    with _quiet(), _sources_freed(), torch.no_grad():
        program = torch.onnx.export(
            traceable(model),
            kwargs=example(model),
            dynamo=True,
            opset_version=opset,
            dynamic_shapes={name: {0: "batch", 1: "sequence"} for name in family_of(model).inputs},
            output_names=["logits"],
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter returned no program")
    if program.exported_program is not None:
        _free_shapes(program.exported_program)
    graph = program.model_proto
    simplify(graph.graph)
    write_graph(graph, path)


@contextmanager
def _sources_freed() -> Iterator[None]:
    """Free the source text of modules that are generated meanwhile; PyTorch keeps it, for tracebacks, while the process lives."""
    loader = getattr(graph_module, "_loader", None)  # private: another version may have none
    sources = getattr(loader, "eval_cache", {})
    known = set(sources)
    try:
        yield
    finally:
        for name in sources.keys() - known:
            del sources[name]
            linecache.cache.pop(name, None)


def _free_shapes(program: ExportedProgram) -> None:
    """Free what PyTorch would keep, for as long as the process lives, of a program that is needed no more: its shapes.

    A circle through the sizes of tensors holds them, where Python's collector cannot see it, and so do caches of
    methods. All programs share these: another that is being traced computes anew, to the same answers.
    """
    from torch.fx.experimental.symbolic_shapes import ShapeEnv  # imports sympy, which is slow

    for node in program.graph.nodes:
        shapes = getattr(getattr(node.meta.get("val"), "fake_mode", None), "shape_env", None)
        if shapes is not None:
            shapes.tracked_fakes = None
    for value in vars(ShapeEnv).values():
        if clear := getattr(value, "cache_clear", None):
            clear()


def read_graph(path: Path) -> onnx.ModelProto:
    """The graph in a file, with its weights wherever they are."""
    return onnx.load(path)


def write_graph(graph: onnx.ModelProto, path: Path) -> None:
    """Write a graph whole or not at all, without what only its maker needed; `graph` itself is cleaned too.

    Left out are stack traces with local paths and the shapes of inner values: quantizers stumble over stale ones, and
    ONNX Runtime's CPU provider answers 4-18 % slower with them, as they let it fuse SkipLayerNormalization.
    """
    _clean(graph)
    path.parent.mkdir(parents=True, exist_ok=True)
    large = sum(len(tensor.raw_data) for tensor in graph.graph.initializer) > MESSAGE_LIMIT_BYTES
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        data = f"{path.name}_data"
        onnx.save_model(graph, Path(folder, path.name), save_as_external_data=large, location=data)
        # The weights first: a graph without them, or with others, must never be seen.
        if large or path.with_name(data).exists():
            path.unlink(missing_ok=True)
            path.with_name(data).unlink(missing_ok=True)
        for name in (data, path.name) if large else (path.name,):
            made = Path(folder, name)
            made.chmod(0o644)
            flush(made)
            made.replace(path.parent / name)


def _clean(graph: onnx.ModelProto) -> None:
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    del graph.graph.value_info[:]
    graph.doc_string = graph.graph.doc_string = ""
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for tensor in graph.graph.initializer:
        tensor.ClearField("data_location")  # read from a file beside the graph or not: the same bytes


_LOUD = (
    "torch.onnx._internal.exporter._registration",  # "torchvision is not installed"
    "onnxscript.optimizer._constant_folding",  # "Skipping constant folding for op LayerNormalization" (DeBERTa's distances)
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the exporter says about itself, and nothing else."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message="# The axis name: .* will not be used", category=UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
