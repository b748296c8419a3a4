from pathlib import Path

import graphs
import numpy
import tiny
import torch
from onnx import TensorProto, numpy_helper

from compress.encoders.graph import export_graph, read_graph
from compress.encoders.modules import parts
from compress.quantization.bf16 import bf16


def test_weights_are_rounded_to_the_nearest_and_norms_stay_in_fp32(tmp_path: Path) -> None:
    bf16(graphs.graph(), tmp_path / "bf16.onnx", graphs.material("bf16"))
    before = {tensor.name: numpy_helper.to_array(tensor) for tensor in read_graph(graphs.graph()).graph.initializer}
    after = {tensor.name: tensor for tensor in read_graph(tmp_path / "bf16.onnx").graph.initializer}
    large = [name for name, values in before.items() if values.dtype == numpy.float32 and values.ndim == 2]
    assert len(large) > 12
    for name in large:
        assert after[f"{name}.bf16"].data_type == TensorProto.BFLOAT16
        rounded = torch.from_numpy(before[name].copy()).bfloat16().float().numpy()
        numpy.testing.assert_array_equal(numpy_helper.to_array(after[f"{name}.bf16"]).astype(numpy.float32), rounded)
    assert {after[name].data_type for name in after if "LayerNorm" in name} == {TensorProto.FLOAT}


def test_activations_beyond_the_range_of_fp16_are_no_trouble(tmp_path: Path) -> None:
    model = tiny.model(seed=1)
    with torch.no_grad():
        for part in parts(model):
            part.down.weight *= 1e6
            part.down.bias *= 1e6
    export_graph(model, tmp_path / "model.onnx")
    bf16(tmp_path / "model.onnx", tmp_path / "bf16.onnx", graphs.material("bf16"))
    batch = graphs.feeds(rows=2, length=12)
    expected = graphs.expected(model, batch)
    numpy.testing.assert_allclose(graphs.answers(tmp_path / "bf16.onnx", batch), expected, atol=0.1 * expected.std())
