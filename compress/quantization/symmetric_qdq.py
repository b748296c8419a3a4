"""INT8 weights and activations, both symmetric, as GPUs multiply them."""

from __future__ import annotations

from pathlib import Path

from compress.quantization import Material, recipe
from compress.quantization.static_qdq import quantized


@recipe("int8", calibrates=True)
def symmetric_qdq(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """Static INT8 as by `static_qdq`, with activations as signed integers around 0: what TensorRT's engines multiply.

    TensorRT, TensorRT-RTX and OpenVINO read the same file. So does ONNX Runtime, but on x86 it is slower with it than in
    fp32.

    Raises: InputError if there is no calibration batch.
    """
    from compress.encoders.graph import read_graph

    return quantized(read_graph(graph), graph, out, material, "symmetric_qdq", symmetric=True)
