import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import graphs
import numpy
import onnx
import pytest
from onnx import numpy_helper

from compress.encoders import graph as graph_module
from compress.encoders.graph import read_graph
from compress.errors import InputError
from compress.quantization import Material, Validation
from compress.quantization._judge import Judged
from compress.quantization.nncf import in_float, nncf

pytest.importorskip("nncf")

WITHOUT_ROWS = Material("int8", graphs.calibration)
PRODUCTS = 2 * 6 + 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """The graph with every layer in INT8."""
    path = tmp_path_factory.mktemp("nncf") / "int8.onnx"
    assert nncf(graphs.graph(), path, WITHOUT_ROWS) == ()
    return read_graph(path)


def quantized(model: onnx.ModelProto) -> list[str]:
    return [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]


def test_products_with_weights_and_of_queries_with_keys_take_integers_and_those_with_values_do_not(
    made: onnx.ModelProto,
) -> None:
    makers = {output: node for node in made.graph.node for output in node.output}

    def integer(name: str) -> bool:
        maker = makers.get(name)
        while maker is not None and maker.op_type in ("Reshape", "Transpose", "Slice"):
            maker = makers.get(maker.input[0])
        return maker is not None and maker.op_type == "DequantizeLinear"

    weights = {tensor.name for tensor in made.graph.initializer}
    products = [node for node in made.graph.node if node.op_type in ("MatMul", "Gemm")]
    weighted = [node for node in products if integer(node.input[1]) and {*makers[node.input[1]].input} <= weights]
    assert len(weighted) == PRODUCTS
    assert all(integer(node.input[0]) for node in weighted)
    others = [node for node in products if node not in weighted]
    assert [all(map(integer, node.input)) for node in others] == [True, False, True, False]


def test_weights_are_symmetric_with_a_scale_for_each_output_and_embeddings_are_int8_too(made: onnx.ModelProto) -> None:
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    weights = [
        [values[name] for name in node.input]
        for node in made.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in values
    ]
    assert len(weights) == PRODUCTS + 3
    for weight, scale, zero in weights:
        assert weight.dtype == numpy.int8
        assert scale.size in weight.shape
        assert not zero.any()
    assert {value.dtype.name for value in values.values() if value.size >= 256} == {"int8"}


def test_no_calibration_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs calibration rows"):
        nncf(graphs.graph(), tmp_path / "int8.onnx", Material("int8", list))
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "MESSAGE_LIMIT_BYTES", 1000)
    with pytest.raises(InputError, match="graphs of up to 2 GB"):
        nncf(graphs.graph(), tmp_path / "int8.onnx", WITHOUT_ROWS)
    assert list(tmp_path.iterdir()) == []


def test_smoothing_is_left_out_where_it_does_harm_and_what_is_within_the_limit_stays(
    tmp_path: Path, made: onnx.ModelProto
) -> None:
    [note] = nncf(graphs.graph(), tmp_path / "int8.onnx", Material("int8", graphs.calibration, graphs.labelled, 0.5))
    assert note.startswith("NNCF without SmoothQuant: the answers' divergence on 32 validation rows, in nats, is with ")
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graphs.graph(), batch)
    onnx.save(made, tmp_path / "smooth.onnx")
    errors = [numpy.abs(graphs.answers(tmp_path / name, batch) - exact).mean() for name in ("int8.onnx", "smooth.onnx")]
    assert errors[0] < errors[1]


class Stand:
    """Stands for the judge: SmoothQuant helps, every input in INT8 harms, GELU's most; `right` of 100 rows by inputs in float."""

    right: Mapping[int, int]
    rows, accuracy = 100, 0.95

    def __init__(self, graph: Path, validation: Validation, recipe: str) -> None:
        assert len(list(validation())) == 8
        self.most = 0

    def __call__(self, file: Path) -> Judged:
        model = read_graph(file)
        names, smooth = quantized(model), any("smooth_quant" in node.name for node in model.graph.node)
        self.most = max(self.most, len(names) if smooth else 0)
        left = self.most - len(names) if smooth else 0
        right = next(rows for least, rows in sorted(self.right.items(), reverse=True) if least <= left)
        return Judged(100 * (not smooth) + len(names) + sum("gelu" in name for name in names), right / 100)


@pytest.mark.parametrize("enough", [1, 3])
def test_as_few_inputs_as_suffice_go_back_to_float_the_worst_first(
    enough: int, made: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.quantization._judge.Judge", Stand)
    monkeypatch.setattr(Stand, "right", {0: 80, enough: 94}, raising=False)
    _, note = nncf(graphs.graph(), tmp_path / "int8.onnx", graphs.material())
    left = {*quantized(made)} - {*quantized(read_graph(tmp_path / "int8.onnx"))}
    assert len(left) == enough
    assert any("gelu" in name for name in left)
    assert note == (
        f"{enough} of {len(quantized(made))} inputs stay in float: the accuracy is 0.9400, in INT8 throughout 0.8000, "
        "in fp32 0.9500"
    )


def test_where_all_inputs_in_float_are_not_enough_it_is_said(
    made: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.quantization._judge.Judge", Stand)
    count = len(quantized(made))
    monkeypatch.setattr(Stand, "right", {0: 80, count: 90}, raising=False)
    _, note, warning = nncf(graphs.graph(), tmp_path / "int8.onnx", graphs.material())
    assert note.startswith(f"{count} of {count} inputs stay in float: the accuracy is 0.9000")
    assert warning == "the loss is above 0.01 even so"
    assert quantized(read_graph(tmp_path / "int8.onnx")) == []


def test_with_every_input_in_float_only_the_weights_are_rounded(made: onnx.ModelProto, tmp_path: Path) -> None:
    back = in_float(made, quantized(made))
    assert quantized(back) == []
    assert quantized(made) != []
    onnx.save(back, tmp_path / "back.onnx")
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graphs.graph(), batch)
    assert 0 < numpy.abs(graphs.answers(tmp_path / "back.onnx", batch) - exact).mean() < 0.02 * exact.std()


def test_the_engine_leaves_no_mark_on_the_process(tmp_path: Path) -> None:
    before = logging.getLoggerClass(), sys.modules.get("openvino_telemetry")
    nncf(graphs.graph(), tmp_path / "int8.onnx", WITHOUT_ROWS)
    assert (logging.getLoggerClass(), sys.modules.get("openvino_telemetry")) == before
