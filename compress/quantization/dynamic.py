"""INT8 weights; activations are measured and rounded anew at every call."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from compress.quantization import Material, recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx


@recipe("int8", calibrates=False, by_call=True)
def dynamic(graph: Path, out: Path, material: Material) -> None:
    """Dynamic INT8 for processors: the fastest recipe for ONNX Runtime there. Needs no calibration.

    Weights, the embedding tables among them, become signed 8-bit integers, one scale an output channel; unsigned ones
    run 1.6 times slower on x86. Every activation gets one scale a call, so an answer depends a little on the rows
    beside it in the batch. MiniLM: a quarter of the size, 2.2 to 4.5 times faster.
    """
    from compress.encoders.graph import read_graph

    write(read_graph(graph), out)


def write(model: onnx.ModelProto, out: Path, left: Sequence[str] = ()) -> None:
    """Quantize a float model, which is used up; the nodes of the names in `left` stay in float."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    from compress.encoders.graph import read_graph, write_graph

    add_pre_process_metadata(model)  # else a hint to run a step that brings nothing here
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "graph.onnx")
        quantize_dynamic(
            model,
            made,
            op_types_to_quantize=["MatMul", "Gather"],
            nodes_to_exclude=list(left),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        write_graph(read_graph(made), out)
