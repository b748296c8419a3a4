from pathlib import Path

import graphs
import numpy
import onnx
import pytest
import tiny
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers import PreTrainedModel

from compress.encoders.families import FAMILIES
from compress.encoders.graph import export_graph, read_graph, write_graph
from compress.encoders.half import half
from compress.encoders.modules import parts

KINDS = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


def made(path: Path, kind: int = TensorProto.FLOAT16) -> onnx.ModelProto:
    return half(read_graph(path), kind)


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The element type of each value and weight."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    found = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info, *graph.output)}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_nearly_the_same_in_fp16(family: str, tmp_path: Path) -> None:
    path = graphs.graph(family, uneven=True)
    model = made(path)
    onnx.checker.check_model(model, full_check=True)
    write_graph(model, tmp_path / "half.onnx")
    batch = graphs.feeds(family, rows=5, length=40)
    exact = graphs.answers(path, batch)
    answers = graphs.answers(tmp_path / "half.onnx", batch)
    assert answers.dtype == numpy.float32
    numpy.testing.assert_allclose(answers, exact, atol=0.02 * exact.std())


@pytest.mark.parametrize("kind", KINDS)
def test_products_and_tables_are_half_and_what_is_risky_is_single(kind: str) -> None:
    model = made(graphs.graph(), KINDS[kind])
    known = types(model)
    inputs = {
        operator: {known[node.input[0]] for node in model.graph.node if node.op_type == operator}
        for operator in ("MatMul", "Gemm", "Gelu", "Gather", "LayerNormalization", "Softmax")
    }
    single = {TensorProto.FLOAT}
    assert inputs == {
        "MatMul": {KINDS[kind]},
        "Gemm": {KINDS[kind]},
        "Gelu": {KINDS[kind]},
        "Gather": {KINDS[kind]} | (inputs["Gather"] & single),  # the choice of the first token follows a norm
        "LayerNormalization": single,
        "Softmax": single,
    }
    makers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.op_type in ("LayerNormalization", "Softmax"):
            assert makers[node.input[0]].op_type == "Add"  # a residual, or the mask, is added in fp32
        if node.op_type == "Where":
            assert known[node.output[0]] == TensorProto.FLOAT
    assert [value.type.tensor_type.elem_type for value in model.graph.output] == [TensorProto.FLOAT]


def test_scores_are_scaled_before_the_product() -> None:
    before, after = read_graph(graphs.graph()).graph, made(graphs.graph()).graph
    for graph, behind in ((before, {"Mul"}), (after, {"Cast"})):
        weights = {tensor.name for tensor in graph.initializer}
        readers = {name: node.op_type for node in graph.node for name in node.input}
        products = [node for node in graph.node if node.op_type == "MatMul" and weights.isdisjoint(node.input)]
        scores = [node for node in products if readers[node.output[0]] in ("Mul", "Cast")]
        assert {readers[node.output[0]] for node in scores} == behind
        assert len(scores) == 2


def naive(path: Path, out: Path) -> Path:
    """The graph with all of it in FP16."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(str(path), keep_io_types=True, op_block_list=[]), out)
    return out


def extreme(*, states: float = 1.0, scores: float = 1.0) -> PreTrainedModel:
    """A model whose feed-forward outputs are that many times as large, and its queries and keys."""
    model = tiny.model(seed=1)
    with torch.no_grad():
        for part in parts(model):
            for linear, factor in ((part.down, states), (part.query, scores), (part.key, scores)):
                linear.weight *= factor
                linear.bias *= factor
    return model


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(extreme(states=3e4), id="states"),  # near 6e4: their squares are far beyond FP16
        pytest.param(extreme(scores=150), id="scores"),  # 1.4e5, 4.9e4 when scaled
    ],
)
def test_extreme_activations_stay_finite_and_near_fp32(model: PreTrainedModel, tmp_path: Path) -> None:
    export_graph(model, tmp_path / "model.onnx")
    batch = graphs.feeds(rows=4, length=64)
    expected = graphs.expected(model, batch)
    write_graph(made(tmp_path / "model.onnx"), tmp_path / "half.onnx")
    # Not in ONNX Runtime: on a processor it computes FP16 in fp32, where nothing overflows.
    answers = graphs.by_the_letter(tmp_path / "half.onnx", batch)
    numpy.testing.assert_allclose(answers, expected, atol=0.01 * expected.std())
    with numpy.errstate(all="ignore"):
        wrong = graphs.by_the_letter(naive(tmp_path / "model.onnx", tmp_path / "naive.onnx"), batch)
    assert numpy.isnan(wrong).any()


def test_sums_over_all_tokens_are_single() -> None:
    model = made(graphs.graph("modernbert"))  # it answers by the tokens' mean
    known = types(model)
    sums = [node for node in model.graph.node if node.op_type in ("ReduceSum", "ReduceMean")]
    assert sums
    assert {known[node.input[0]] for node in sums} <= {TensorProto.FLOAT, TensorProto.INT64}
    assert {known[node.output[0]] for node in sums} >= {TensorProto.FLOAT}


def test_a_graph_that_is_half_stays_as_it_is() -> None:
    model = made(graphs.graph())
    content = model.SerializeToString(deterministic=True)
    assert half(model, TensorProto.FLOAT16).SerializeToString(deterministic=True) == content


def test_weights_beyond_the_range_become_its_ends() -> None:
    model = read_graph(graphs.graph())
    tensor = next(one for one in model.graph.initializer if one.name.startswith("val_") and len(one.dims) == 2)
    values = numpy_helper.to_array(tensor).copy()
    values[0, :2] = 1e6, -1e6
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    found = {one.name: one for one in half(model, TensorProto.FLOAT16).graph.initializer}
    assert numpy_helper.to_array(found[f"{tensor.name}.fp16"])[0, :2].tolist() == [65504, -65504]


def test_scales_too_small_for_fp16_do_not_become_zero() -> None:
    """As those of an output channel whose weights are next to nothing."""
    weights = numpy_helper.from_array(numpy.full((4, 2), 100, numpy.int8), "w.whole")
    scale = numpy_helper.from_array(numpy.array([1e-9, 0.01], numpy.float32), "w.scale")
    nodes = [
        helper.make_node("DequantizeLinear", ["w.whole", "w.scale"], ["w"], axis=1),
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
    ]
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 4), ("logits", 2))
    ]
    graph = helper.make_graph(nodes, "graph", value[:1], value[1:], [weights, scale])
    model = half(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), TensorProto.FLOAT16)
    found = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    assert found["w.scale.fp16"].tolist() == [2**-24, numpy.float16(0.01)]
