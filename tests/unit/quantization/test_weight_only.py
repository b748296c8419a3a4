from pathlib import Path

import graphs
import numpy
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from compress.encoders.graph import read_graph
from compress.quantization.static_qdq import weighted_products
from compress.quantization.weight_only import weight_only


def made(folder: Path, precision: str) -> onnx.GraphProto:
    weight_only(graphs.graph(), folder / "out.onnx", graphs.material(precision))
    onnx.checker.check_model(str(folder / "out.onnx"), full_check=True)
    return read_graph(folder / "out.onnx").graph


@pytest.mark.parametrize(("precision", "kind"), [("int8", TensorProto.INT8), ("int4", TensorProto.INT4)])
def test_the_weights_of_every_product_are_integers(tmp_path: Path, precision: str, kind: int) -> None:
    graph = made(tmp_path, precision)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    read = [makers[node.input[1]] for node in graph.node if node.op_type == "MatMul" and node.input[1] in makers]
    kinds = [tensors[node.input[0]].data_type for node in read if node.op_type == "DequantizeLinear"]
    assert len(kinds) == len(weighted_products(read_graph(graphs.graph()))) == 2 * 6
    assert set(kinds) == {kind}


def test_eight_bits_round_a_weight_by_half_a_step_of_its_column(tmp_path: Path) -> None:
    whole = {tensor.name: numpy_helper.to_array(tensor) for tensor in read_graph(graphs.graph()).graph.initializer}
    graph = made(tmp_path, "int8")
    small = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    unpacked = [
        name.removesuffix(".whole") for name in small if name.endswith(".whole") and small[name[:-5] + "scale"].ndim
    ]
    assert unpacked
    for name in unpacked:
        scale = small[f"{name}.scale"]
        assert numpy.allclose(scale, numpy.abs(whole[name]).max(0) / 127)
        assert (numpy.abs(small[f"{name}.whole"] * scale - whole[name]) <= scale / 2 * 1.001).all()


def test_the_embedding_tables_are_integers_too(tmp_path: Path) -> None:
    graph = made(tmp_path, "int4")
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tables = [
        tensors[node.input[0]].data_type for node in graph.node if node.op_type == "Gather" and node.input[0] in tensors
    ]
    assert TensorProto.INT8 in tables
    large = [
        tensor
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2 and tensor.dims[0] > 64
    ]
    assert large == []


def test_a_weight_that_is_zero_stays_zero(tmp_path: Path) -> None:
    model = read_graph(graphs.graph())
    name = weighted_products(model)[0].input[1]
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy.zeros(tuple(tensor.dims), numpy.float32), name))
    onnx.save(model, tmp_path / "zero.onnx")
    weight_only(tmp_path / "zero.onnx", tmp_path / "out.onnx", graphs.material("int8"))
    batch = graphs.feeds()
    assert numpy.isfinite(graphs.answers(tmp_path / "out.onnx", batch)).all()


def test_weights_that_four_bits_do_not_fit_keep_eight_and_that_is_said(tmp_path: Path) -> None:
    model = read_graph(graphs.graph())
    product = next(node for node in weighted_products(model) if node.input[1] == "val_122")
    assert weight_only(graphs.graph(), tmp_path / "whole.onnx", graphs.material("int4")) == ()
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    matrix = numpy_helper.to_array(weights[product.input[1]])[:60]
    weights[product.input[1]].CopyFrom(numpy_helper.from_array(matrix, product.input[1]))
    onnx.save(model, tmp_path / "uneven.onnx")  # read for its weights alone
    (note,) = weight_only(tmp_path / "uneven.onnx", tmp_path / "out.onnx", graphs.material("int4"))
    assert note.startswith("1 of 12 weights keep eight bits")
    assert not weight_only(tmp_path / "uneven.onnx", tmp_path / "out.onnx", graphs.material("int8"))
