from pathlib import Path

import graphs
import numpy
import onnx
import pytest
from onnx import numpy_helper

from compress.encoders.graph import export_graph, read_graph
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization._ranges import METHODS
from compress.quantization.symmetric_qdq import symmetric_qdq


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("symmetric") / "int8.onnx"
    symmetric_qdq(graphs.graph(), out, graphs.material())
    return out


@pytest.fixture(scope="module")
def made(path: Path) -> onnx.GraphProto:
    return read_graph(path).graph


def test_products_with_weights_are_int8_on_both_sides_and_attention_is_not(made: onnx.GraphProto) -> None:
    makers = {output: node.op_type for node in made.node for output in node.output}
    kinds = [tuple(makers.get(name) for name in node.input) for node in made.node if node.op_type == "MatMul"]
    assert kinds.count(("DequantizeLinear", "DequantizeLinear")) == 2 * 6
    assert sum("DequantizeLinear" not in kind for kind in kinds) == 2 * 2


def test_zero_points_are_zero_and_weights_have_a_scale_for_each_output(made: onnx.GraphProto) -> None:
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.initializer}
    pairs = [node for node in made.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    zeros = [values[node.input[2]] for node in pairs]
    assert {zero.dtype for zero in zeros} == {numpy.dtype(numpy.int8)}
    assert not any(zero.any() for zero in zeros)
    products = {name for node in made.node if node.op_type == "MatMul" for name in node.input}
    weights = [node for node in pairs if node.input[0] in values and node.output[0] in products]
    assert len(weights) == 2 * 6
    for node in weights:
        weight, scale = (values[name] for name in node.input[:2])
        assert (weight.dtype, scale.shape) == (numpy.int8, weight.shape[1:])
        assert numpy.abs(weight.astype(int)).max(0).min() >= 126  # the whole range is used


def test_the_ranges_are_chosen_by_the_answers_and_the_choice_is_told(tmp_path: Path) -> None:
    (note,) = symmetric_qdq(graphs.graph(), tmp_path / "int8.onnx", graphs.material())
    assert note.split("`")[1] in METHODS
    assert all(method in note for method in METHODS)
    assert "on 32 validation rows" in note


def test_no_calibration_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`symmetric_qdq` needs calibration rows"):
        symmetric_qdq(graphs.graph(), tmp_path / "int8.onnx", Material("int8", list))
    assert list(tmp_path.iterdir()) == []


def test_a_layer_without_heads_or_neurons_is_no_trouble(tmp_path: Path) -> None:
    whole = graphs.model()
    masks = Masks.full(whole)
    masks.heads[0][:] = False
    masks.neurons[1][:] = False
    export_graph(cut(whole, masks), tmp_path / "model.onnx")
    symmetric_qdq(tmp_path / "model.onnx", tmp_path / "int8.onnx", Material("int8", graphs.calibration))
    batch = graphs.feeds(rows=4, length=20)
    exact = graphs.answers(tmp_path / "model.onnx", batch)
    assert numpy.abs(graphs.answers(tmp_path / "int8.onnx", batch) - exact).mean() < 0.2 * exact.std()


def test_one_file_serves_onnxruntime_and_openvino(path: Path) -> None:
    """And TensorRT-RTX, which its own tests show."""
    openvino = pytest.importorskip("openvino")
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graphs.graph(), batch)
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    there, here = compiled(batch)["logits"], graphs.answers(path, batch)
    assert numpy.abs(there - exact).mean() < 0.1 * exact.std()
    numpy.testing.assert_allclose(there, here, atol=0.01 * exact.std())
