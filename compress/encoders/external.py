"""Weights that an ONNX file keeps in other files. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import InputError
from compress.files import inside

if TYPE_CHECKING:
    import onnx


def check(path: Path) -> None:
    """See that an ONNX file takes its weights from its own folder. What is no ONNX is left to the engines to refuse.

    Older engines read whatever file a graph names.
    Raises: InputError naming a place that leads out of the folder, also by a link
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError):
        return
    for tensor in _tensors([model.graph, *model.functions]):
        for entry in tensor.external_data:
            if entry.key == "location":
                try:
                    inside(path.parent, entry.value)
                except InputError as error:
                    raise InputError(
                        f"{path}: takes the weights {tensor.name[:80]!r} from {entry.value!r}, outside of its folder. Only "
                        "files beside it are read."
                    ) from error


def _tensors(graphs: list[onnx.GraphProto | onnx.FunctionProto]) -> Iterator[onnx.TensorProto]:
    """Every tensor of graphs and of the graphs within them."""
    import onnx

    while graphs:
        graph = graphs.pop()
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors, attribute.sparse_tensor.values)
                graphs += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
