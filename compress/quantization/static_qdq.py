"""INT8 weights and activations, both with fixed scales found on calibration rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import InputError
from compress.quantization import Material, recipe

if TYPE_CHECKING:
    import onnx

    from compress.quantization._ranges import Range


@recipe("int8", calibrates=True)
def static_qdq(graph: Path, out: Path, material: Material) -> tuple[str, ...]:
    """Static INT8 for processors, as QuantizeLinear / DequantizeLinear pairs around every MatMul that has weights.

    Weights, the embedding tables among them, become signed 8-bit integers (MatMuls: one scale an output channel);
    activations unsigned ones. Their ranges are found in five ways, and those are taken whose answers on the validation
    rows diverge least from the float graph's: which way that is depends on the model, and a wrong one can ruin it.
    Without rows to judge by, it is the mean of the batches' extremes. The products inside attention stay in float: they
    have no weights.

    Answers don't depend on the other rows of a batch, as `dynamic`'s do; in return, ONNX Runtime is 5-15 % slower.

    Raises: InputError if there is no calibration batch.
    """
    from compress.encoders.graph import read_graph

    return quantized(read_graph(graph), graph, out, material, "static_qdq")


def quantized(
    model: onnx.ModelProto, graph: Path, out: Path, material: Material, name: str, *, symmetric: bool = False
) -> tuple[str, ...]:
    """Quantize a model whose answers are to be those of the float graph in a file; `name` is the recipe's, for errors."""
    from compress.encoders.graph import read_graph, write_graph
    from compress.quantization._judge import Judge
    from compress.quantization._ranges import METHODS, watch

    weighted = weighted_products(model)
    seen = watch(model, [node.input[0] for node in weighted], material.calibration)
    if not seen and weighted:
        raise InputError(f"the recipe `{name}` needs calibration rows, and there is none.")
    judge = Judge(graph, material.validation, name) if material.validation is not None else None
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = {method: Path(folder, f"{method}.onnx") for method in (METHODS if judge else ("average",))}
        for method, file in made.items():
            ranges = {value: METHODS[method](one) for value, one in seen.items()}
            _write(model, file, ranges, symmetric=symmetric)
            if judge:
                found[method] = judge(file).divergence
        best = min(made, key=lambda method: found.get(method, 0.0))
        write_graph(read_graph(made[best]), out)
    if judge is None:
        return ()
    rest = ", ".join(f"{method} {found[method]:.2g}" for method in found if method != best)
    return (
        f"activation ranges by `{best}`: its answers diverge by {found[best]:.2g} nats from the float graph's "
        f"on {judge.rows} validation rows ({rest})",
    )


def weighted_products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The MatMuls that have weights; those inside attention have none, nor those of a part that was cut out whole."""
    weights = {tensor.name for tensor in model.graph.initializer if all(tensor.dims)}
    return [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]


def _write(model: onnx.ModelProto, file: Path, ranges: dict[str, Range], *, symmetric: bool) -> None:
    import numpy as np
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    from compress.encoders.graph import write_graph

    copied = onnx.ModelProto()
    copied.CopyFrom(model)  # the quantizer changes what it is given
    weighted = {node.name for node in weighted_products(model)}
    quantizer = QDQQuantizer(
        copied,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        tensors_range=TensorsData(
            CalibrationMethod.MinMax,
            {name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in ranges.items()},
        ),
        nodes_to_quantize=[],
        nodes_to_exclude=[
            node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in weighted
        ],
        op_types_to_quantize=["MatMul", "Gather"],
        extra_options={
            "ActivationSymmetric": symmetric,
            "DefaultTensorType": onnx.TensorProto.FLOAT,
            "OpTypesToExcludeOutputQuantization": ["MatMul"],
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    write_graph(quantizer.model.model, file)
