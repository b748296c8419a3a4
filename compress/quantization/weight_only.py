"""Weights as integers of eight or four bits; activations and arithmetic stay in float."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.quantization import Material, recipe
from compress.quantization.static_qdq import weighted_products

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

_BITS = {"int8": 8, "int4": 4}
_BLOCK = 32
"""Weights of an output channel that share a scale in four bits."""
_OPSET = 21
"""The first with integers of four bits and scales by blocks."""


@recipe("int8", "int4", calibrates=False)
def weight_only(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """Weights of every MatMul as signed integers behind a DequantizeLinear; the embedding tables as 8-bit ones.

    Eight bits have one scale an output channel, four bits one for each 32 weights of it (a channel whose length does not
    divide so keeps eight). Runtimes multiply by the integers without unpacking them (ONNX Runtime) or unpack them where
    they are used (TensorRT-RTX). The most faithful of the integer recipes at eight bits: activations are not rounded. It
    saves size and memory traffic more than time.
    """
    from onnx import numpy_helper

    from compress.encoders.graph import read_graph, write_graph
    from compress.encoders.simplify import sweep

    model = read_graph(graph)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    made: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    products = {node.name for node in weighted_products(model)}
    for node in model.graph.node:
        name = node.input[1] if node.name in products else ""
        if name:
            if name not in made:
                made[name] = _packed(
                    model, nodes, name, numpy_helper.to_array(weights[name]), _BITS[material.precision]
                )
            node.input[1] = made[name]
        elif node.op_type == "Gather" and node.input[0] in weights and len(weights[node.input[0]].dims) == 2:
            _table(model, nodes, node, numpy_helper.to_array(weights[node.input[0]]))
            continue
        nodes.append(node)
    whole = [name for name in made if weights[name].dims[0] % _BLOCK]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    sweep(model.graph)
    next(entry for entry in model.opset_import if not entry.domain).version = _OPSET
    write_graph(model, out)
    if material.precision != "int4" or not whole:
        return ()
    return (
        f"{len(whole)} of {len(made)} weights keep eight bits: the length of their channels is no multiple of {_BLOCK}",
    )


def _packed(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], name: str, matrix: NDArray[np.float32], bits: int
) -> str:
    """The name of what a weight (in, out) is unpacked to."""
    import ml_dtypes
    import numpy as np
    from onnx import helper, numpy_helper

    inputs, outputs = matrix.shape
    short = bits == 4 and inputs % _BLOCK == 0
    largest, block = (7, _BLOCK) if short else (127, inputs)
    parts = matrix.reshape(-1, block, outputs)
    scale = (np.abs(parts).max(1) / largest).astype(np.float32)
    scale[scale == 0] = 1
    whole = np.clip(np.rint(parts / scale[:, None]), -largest, largest).astype(np.int8).reshape(matrix.shape)
    layout = {"axis": 0, "block_size": block} if short else {"axis": 1}
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(whole.astype(ml_dtypes.int4) if short else whole, f"{name}.whole"),
            numpy_helper.from_array(scale if short else scale[0], f"{name}.scale"),
        ]
    )
    unpacked = f"{name}.unpacked"
    nodes.append(
        helper.make_node("DequantizeLinear", [f"{name}.whole", f"{name}.scale"], [unpacked], name=unpacked, **layout)
    )
    return unpacked


def _table(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], gather: onnx.NodeProto, table: NDArray[np.float32]
) -> None:
    """A look-up in a table of 8-bit integers, with one scale for the table."""
    import numpy as np
    from onnx import helper, numpy_helper

    name, (answer,) = gather.input[0], gather.output
    scale = np.float32(np.abs(table).max() / 127 or 1)
    if all(tensor.name != f"{name}.whole" for tensor in model.graph.initializer):
        whole = np.rint(table / scale).astype(np.int8)
        model.graph.initializer.append(numpy_helper.from_array(whole, f"{name}.whole"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(scale), f"{name}.scale"))
    gather.input[0], gather.output[0] = f"{name}.whole", f"{answer}.whole"
    nodes.append(gather)
    nodes.append(
        helper.make_node("DequantizeLinear", [f"{answer}.whole", f"{name}.scale"], [answer], name=f"{answer}.unpacked")
    )
