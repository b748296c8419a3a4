"""A graph with integer weights as TensorRT-RTX takes it: the same answers, in the form and the types that it has."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from compress.encoders.half import half


def mixed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model itself, with FP16 around its integers; a graph that has that already keeps it.

    A look-up in a table of integers, whose answers are multiplied by the scale, becomes one in a table that is
    multiplied: an engine does not look up integers. It stores them all the same.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    changed: dict[str, list[onnx.NodeProto]] = {}
    unpacked: set[str] = set()
    for node in model.graph.node:
        look = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if look is not None and look.op_type == "Gather" and look.input[0] in weights:
            table = f"{look.input[0]}.unpacked"
            multiplied = helper.make_node("DequantizeLinear", [look.input[0], *node.input[1:]], [table], name=table)
            looked = helper.make_node("Gather", [table, look.input[1]], [node.output[0]], name=look.name)
            changed[look.output[0]] = [multiplied] if table not in unpacked else []
            changed[node.output[0]] = [looked]
            unpacked.add(table)
    nodes = [one for node in model.graph.node for one in changed.get(node.output[0], [node])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return half(model, TensorProto.FLOAT16)
