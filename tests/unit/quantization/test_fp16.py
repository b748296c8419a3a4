from pathlib import Path

import graphs
import numpy
import onnx
import tiny
import torch

from compress.encoders.graph import export_graph, read_graph
from compress.encoders.modules import parts
from compress.quantization.fp16 import fp16


def test_norms_and_softmax_compute_in_fp32_and_weights_are_fp16(tmp_path: Path) -> None:
    fp16(graphs.graph(), tmp_path / "fp16.onnx", graphs.material("fp16"))
    graph = onnx.shape_inference.infer_shapes(read_graph(tmp_path / "fp16.onnx"), strict_mode=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    sensitive = [node for node in graph.node if node.op_type in {"LayerNormalization", "Softmax"}]
    assert len(sensitive) == 5 + 2
    assert {types[node.input[0]] for node in sensitive} == {onnx.TensorProto.FLOAT}
    large = [tensor for tensor in graph.initializer if numpy.prod(tensor.dims) >= 256]
    assert {tensor.data_type for tensor in large} == {onnx.TensorProto.FLOAT16}
    assert graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_large_activations_stay_finite_and_near_fp32(tmp_path: Path) -> None:
    model = tiny.model(seed=1)
    with torch.no_grad():
        for part in parts(model):
            part.down.weight *= 3e4  # sums near 6e4, the end of the FP16 range; their squares lie far beyond it
            part.down.bias *= 3e4
    export_graph(model, tmp_path / "model.onnx")
    fp16(tmp_path / "model.onnx", tmp_path / "fp16.onnx", graphs.material("fp16"))
    batch = graphs.feeds(rows=4, length=64)
    sums = []
    handle = parts(model)[0].output_norm.register_forward_pre_hook(
        lambda _module, args: sums.append(args[0].abs().max())
    )
    expected = graphs.expected(model, batch)
    handle.remove()
    assert 2e4 < sums[0] < 65504
    answers = graphs.answers(tmp_path / "fp16.onnx", batch)
    assert numpy.isfinite(answers).all()
    numpy.testing.assert_allclose(answers, expected, atol=0.02 * expected.std())
