"""Eight-bit floating point weights and activations, as the newest GPUs multiply them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import InputError
from compress.quantization import Material, recipe
from compress.quantization.static_qdq import weighted_products

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

_LARGEST = 448.0
"""What E4M3 holds at most."""


@recipe("fp8", calibrates=True)
def fp8(graph: Path, out: Path, material: Material) -> None:
    """FP8 (E4M3) products as QuantizeLinear / DequantizeLinear pairs, one scale a tensor, FP16 around them.

    For TensorRT on GPUs of compute capability 8.9 or higher. An activation's scale covers the largest magnitude on the
    calibration rows: cutting outliers off, as for integers, gains nothing, since small numbers keep their digits.
    The products inside attention, the embeddings and the head are as in `fp16`.

    Raises: InputError if there is no calibration batch.
    """
    from onnx import TensorProto

    from compress.encoders.graph import read_graph, write_graph
    from compress.encoders.half import half
    from compress.quantization._ranges import watch

    model = read_graph(graph)
    products = weighted_products(model)
    seen = watch(model, [node.input[0] for node in products], material.calibration)
    if not seen and products:
        raise InputError("the recipe `fp8` needs calibration rows, and there is none.")
    _quantize(model, {name: max(-one.low, one.high) for name, one in seen.items()})
    write_graph(half(model, TensorProto.FLOAT16), out)


def _quantize(model: onnx.ModelProto, peaks: Mapping[str, float]) -> None:
    """Quantize the weighted products, in place; `peaks` holds the largest magnitude of each one's input."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from compress.encoders.simplify import sweep

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    products = {node.output[0] for node in weighted_products(model)}
    kind = helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT8E4M3FN)
    graph.initializer.append(numpy_helper.from_array(np.zeros((), kind), "fp8.zero"))
    nodes: list[onnx.NodeProto] = []
    made: set[str] = set()

    def scaled(name: str, peak: float) -> list[str]:
        """The names of a value's scale and zero point."""
        scale = np.array(peak / _LARGEST or 1, np.float32)
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        return [f"{name}.scale", "fp8.zero"]

    def through(operator: str, name: str, inputs: list[str]) -> str:
        nodes.append(helper.make_node(operator, inputs, [name], name=name))
        return name

    for node in graph.node:
        if node.output[0] in products:
            value, weight = node.input
            if value not in made:
                scale = scaled(value, peaks[value])
                rounded = through("QuantizeLinear", f"{value}.fp8", [value, *scale])
                through("DequantizeLinear", f"{value}.back", [rounded, *scale])
            if weight not in made:
                whole = numpy_helper.to_array(weights[weight])
                peak = float(np.abs(whole).max())
                stored = (whole / np.float32(peak / _LARGEST or 1)).astype(kind)
                graph.initializer.append(numpy_helper.from_array(stored, f"{weight}.fp8"))
                through("DequantizeLinear", f"{weight}.back", [f"{weight}.fp8", *scaled(weight, peak)])
            made |= {value, weight}
            node.input[:] = [f"{value}.back", f"{weight}.back"]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    sweep(graph)
