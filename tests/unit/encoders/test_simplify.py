"""Exact changes of an exported graph."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny
from onnx import helper, shape_inference

from compress.encoders import graph
from compress.encoders.simplify import simplify


def softmaxes(path: Path) -> list[int | str]:
    """Of how many queries each layer's attention is computed, in order."""
    inferred = shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {value.name: value.type.tensor_type.shape.dim for value in inferred.value_info}
    found = [shapes[node.output[0]][2] for node in inferred.node if node.op_type == "Softmax"]
    return [size.dim_value or "all" for size in found]


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_the_last_layer_answers_for_one_token_and_the_logits_stay(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.model(family, layers=3)
    graph.export_graph(model, tmp_path / "simple.onnx")
    monkeypatch.setattr(graph, "simplify", lambda _: None)
    graph.export_graph(model, tmp_path / "whole.onnx")
    assert softmaxes(tmp_path / "whole.onnx") == ["all", "all", "all"]
    assert softmaxes(tmp_path / "simple.onnx")[-1] == 1
    assert softmaxes(tmp_path / "simple.onnx")[:-1] != [1, 1]
    for rows, length in ((1, 3), (4, 9)):
        feed = {name: values.numpy() for name, values in tiny.batch(model, rows=rows, length=length).items()}
        answers = [
            onnxruntime.InferenceSession(tmp_path / name).run(None, feed)[0] for name in ("simple.onnx", "whole.onnx")
        ]
        np.testing.assert_allclose(*answers, rtol=0, atol=2e-6)


def test_shapes_are_constants(tmp_path: Path) -> None:
    graph.export_graph(tiny.model(), tmp_path / "simple.onnx")
    made = onnx.load(tmp_path / "simple.onnx").graph
    weights = {tensor.name for tensor in made.initializer}
    shapes = [node.input[1] for node in made.node if node.op_type == "Reshape"]
    assert shapes
    assert weights.issuperset(shapes)


def mean_of_tokens() -> onnx.ModelProto:
    """Each token by a matrix, then the mean over tokens; nothing takes the first one."""
    value = helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("ReduceMean", ["y", "axes"], ["z"], keepdims=0),
    ]
    weights = [
        helper.make_tensor("w", kind, [2, 2], [1.0, 2.0, 3.0, 4.0]),
        helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [1]),
    ]
    inputs, outputs = [value("x", kind, ["b", "t", 2])], [value("z", kind, ["b", 2])]
    return helper.make_model(
        helper.make_graph(nodes, "mean", inputs, outputs, weights, value_info=[value("y", kind, ["b", "t", 2])])
    )


def test_a_head_that_takes_no_token_keeps_its_graph() -> None:
    model = mean_of_tokens()
    before = model.SerializeToString(deterministic=True)
    simplify(model.graph)
    assert model.SerializeToString(deterministic=True) == before
