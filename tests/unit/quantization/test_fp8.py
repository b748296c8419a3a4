from pathlib import Path

import graphs
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from compress.encoders.graph import read_graph
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization.fp8 import fp8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> onnx.GraphProto:
    path = tmp_path_factory.mktemp("fp8") / "fp8.onnx"
    fp8(graphs.graph(), path, graphs.material("fp8"))
    return read_graph(path).graph


def test_weights_of_products_are_fp8_with_one_scale_each(made: onnx.GraphProto) -> None:
    tensors = {tensor.name: tensor for tensor in made.initializer}
    weights = [node for node in made.node if node.op_type == "DequantizeLinear" and node.input[0] in tensors]
    assert len(weights) == 2 * 6
    for node in weights:
        weight, scale = (tensors[name] for name in node.input[:2])
        assert weight.data_type == TensorProto.FLOAT8E4M3FN
        assert list(scale.dims) == list(node.attribute) == []
        assert abs(numpy_helper.to_array(weight).astype(float)).max() == 448


def test_activations_are_divided_so_that_all_that_was_seen_fits(made: onnx.GraphProto) -> None:
    tensors = {tensor.name: tensor for tensor in made.initializer}
    zeros = {node.input[2] for node in made.node if node.op_type == "QuantizeLinear"}
    assert [tensors[name].data_type for name in zeros] == [TensorProto.FLOAT8E4M3FN]


def test_no_calibration_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`fp8` needs calibration rows"):
        fp8(graphs.graph(), tmp_path / "fp8.onnx", Material("fp8", list))
    assert list(tmp_path.iterdir()) == []
