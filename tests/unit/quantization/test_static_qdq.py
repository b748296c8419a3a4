from pathlib import Path

import graphs
import numpy
import onnx
import pytest
from onnx import numpy_helper

from compress.encoders.graph import read_graph
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization.static_qdq import static_qdq


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> onnx.GraphProto:
    path = tmp_path_factory.mktemp("static") / "int8.onnx"
    static_qdq(graphs.graph(), path, graphs.material())
    return read_graph(path).graph


def test_products_with_weights_are_int8_and_those_inside_attention_are_not(made: onnx.GraphProto) -> None:
    makers = {output: node.op_type for node in made.node for output in node.output}
    kinds = [tuple(makers.get(name) for name in node.input) for node in made.node if node.op_type == "MatMul"]
    assert kinds.count(("DequantizeLinear", "DequantizeLinear")) == 2 * 6
    assert sum("DequantizeLinear" not in kind for kind in kinds) == 2 * 2


def test_weights_are_symmetric_with_a_scale_for_each_output_and_activations_are_uint8(made: onnx.GraphProto) -> None:
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.initializer}
    quantized = [node for node in made.node if node.op_type == "QuantizeLinear"]
    assert {values[node.input[2]].dtype for node in quantized} == {numpy.dtype(numpy.uint8)}
    weights = [
        (values[node.input[0]], values[node.input[1]], values[node.input[2]])
        for node in made.node
        if node.op_type == "DequantizeLinear" and node.input[0] in values and "embedding" not in node.input[0]
    ]
    assert len(weights) == 2 * 6
    for weight, scale, zero in weights:
        assert weight.dtype == numpy.int8
        assert scale.shape == weight.shape[1:]
        assert not zero.any()


def test_ranges_come_from_the_calibration_rows(tmp_path: Path, made: onnx.GraphProto) -> None:
    static_qdq(
        graphs.graph(), tmp_path / "other.onnx", Material("int8", lambda: graphs.calibration()[:1], graphs.labelled)
    )
    other = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in read_graph(tmp_path / "other.onnx").graph.initializer
    }
    scales = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in made.initializer if tensor.name.endswith("_scale")
    }
    assert any(not numpy.array_equal(value, other[name]) for name, value in scales.items())


def test_no_calibration_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs calibration rows"):
        static_qdq(graphs.graph(), tmp_path / "int8.onnx", Material("int8", list, graphs.labelled))
    assert list(tmp_path.iterdir()) == []
