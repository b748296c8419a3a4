"""Sixteen bits with the range of fp32 and three digits, with what needs more in single."""

from pathlib import Path

from compress.quantization import Material, recipe


@recipe("bf16", calibrates=False)
def bf16(graph: Path, out: Path, material: Material) -> None:
    """BF16 weights and products; norms, softmax, residual sums, scores with their mask and the outputs stay in fp32.

    Needs no calibration. Half the size. Nothing can overflow, as might in `fp16`; its rounding is eight times as coarse.
    ONNX Runtime's CPU provider does not run it.
    """
    from onnx import TensorProto

    from compress.encoders.graph import read_graph, write_graph
    from compress.encoders.half import half

    write_graph(half(read_graph(graph), TensorProto.BFLOAT16), out)
