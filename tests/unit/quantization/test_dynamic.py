from pathlib import Path

import graphs
import numpy
import onnx

from compress.encoders.graph import read_graph
from compress.quantization import Material
from compress.quantization.dynamic import dynamic


def none() -> list[graphs.Feeds]:
    raise AssertionError("dynamic needs no calibration")


def test_every_product_with_weights_and_the_embeddings_are_int8(tmp_path: Path) -> None:
    dynamic(graphs.graph(), tmp_path / "int8.onnx", Material("int8", none))
    graph = read_graph(tmp_path / "int8.onnx").graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer if numpy.prod(tensor.dims) >= 256}
    assert set(stored.values()) == {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    assert stored.pop("bert.embeddings.word_embeddings.weight_quantized") == onnx.TensorProto.UINT8
    assert sum(node.op_type == "MatMulInteger" for node in graph.node) == 2 * 6 + 2
    assert sum(node.op_type == "MatMul" for node in graph.node) == 2 * 2


def test_weights_have_a_scale_for_each_output(tmp_path: Path) -> None:
    dynamic(graphs.graph(), tmp_path / "int8.onnx", Material("int8", none))
    stored = read_graph(tmp_path / "int8.onnx").graph.initializer
    # ONNX Runtime adds "_Transposed" to the weight's name from 1.32 on.
    scales = [one for one in stored if one.name.startswith("classifier.weight") and one.name.endswith("_scale")]
    assert [list(one.dims) for one in scales] == [[3]]
