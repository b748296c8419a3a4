"""INT8 weights and activations, both with fixed scales found on calibration rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.errors import InputError
from compress.quantization import Calibration, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

    from compress.quantization import Feeds


@recipe(calibrates=True)
def static_qdq(graph: Path, out: Path, calibration: Calibration) -> None:
    """Static INT8 for processors, as QuantizeLinear / DequantizeLinear pairs around every MatMul that has weights.

    Weights, the embedding tables among them, become signed 8-bit integers (MatMuls: one scale an output channel);
    activations unsigned ones, whose range is the mean of the batches' smallest and largest values, which lets in fewer
    outliers than their extremes. The products inside attention stay in float: they have no weights.

    Answers don't depend on the other rows of a batch, as `dynamic`'s do; in return, ONNX Runtime is 5-15 % slower with
    it and its error is two to three times as large. Most of that comes from the input of the second feed-forward MatMul;
    leaving those in float would halve the error and cost a third of the speed.

    Raises: InputError if there is no calibration batch.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    from compress.encoders.graph import read_graph, write_graph

    model = read_graph(graph)
    add_pre_process_metadata(model)  # else a hint to run a step that brings nothing here
    batches = _Batches(calibration)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "graph.onnx")
        quantize_static(
            model,
            made,
            batches,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gather"],
            nodes_to_exclude=_without_weights(model),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
        write_graph(read_graph(made), out)


class _Batches:
    """The calibration batches in the form ONNX Runtime asks for, that of its `CalibrationDataReader`."""

    def __init__(self, calibration: Calibration) -> None:
        self._batches: Iterator[Feeds] = iter(calibration())
        self._first = next(self._batches, None)
        if self._first is None:
            raise InputError("the recipe `static_qdq` needs calibration rows, and there is none.")

    def get_next(self) -> Any:
        batch, self._first = self._first, None
        return batch if batch is not None else next(self._batches, None)


def _without_weights(model: onnx.ModelProto) -> list[str]:
    weights = {tensor.name for tensor in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and weights.isdisjoint(node.input)]
