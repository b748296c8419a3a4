from pathlib import Path

import graphs
import numpy
import pytest
import tiny
from onnx import numpy_helper

from compress.encoders.graph import read_graph, write_graph
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization._judge import Judge
from compress.quantization._ranges import largest
from compress.quantization.dynamic import dynamic
from compress.quantization.smooth import smooth, smoothed
from compress.quantization.smooth_dynamic import smooth_dynamic
from compress.quantization.static_qdq import weighted_products


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("uneven", [False, True])
def test_moving_outliers_into_the_weights_changes_no_answer(family: str, uneven: bool, tmp_path: Path) -> None:
    graph = graphs.graph(family, uneven=uneven)
    model = read_graph(graph)
    names = [node.input[0] for node in weighted_products(model)]
    rows = [graphs.feeds(family, rows=1, length=8 + seed, seed=seed) for seed in range(4)]
    write_graph(smoothed(model, largest(model, names, lambda: rows), 0.5), tmp_path / "smooth.onnx")
    batch = graphs.feeds(family, rows=4, length=12, seed=9)
    exact = graphs.answers(graph, batch)
    assert numpy.allclose(
        graphs.answers(tmp_path / "smooth.onnx", batch), exact, atol=2e-5 * max(1, numpy.abs(exact).max())
    )


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """A graph of the same answers in which one channel of every product's input is a hundred times as large."""
    model = read_graph(graphs.graph())
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    peaks = {}
    for node in weighted_products(model):
        matrix = numpy.abs(numpy_helper.to_array(weights[node.input[1]])).max(1)
        peaks[node.input[0]] = numpy.maximum(matrix, peaks.get(node.input[0], 0))
    for peak in peaks.values():
        peak[0] *= 1e-4  # what is divided by a hundredth becomes large
    made = smoothed(model, peaks, 0.5)
    for node in made.graph.node:  # names that smoothing again will give
        node.name = node.name.replace(".whole", ".first")
        for names in (node.input, node.output):
            names[:] = [name.replace(".whole", ".first") for name in names]
    for tensor in made.graph.initializer:
        tensor.name = tensor.name.replace(".whole", ".first")
    write_graph(made, tmp_path / "spoiled.onnx")
    return tmp_path / "spoiled.onnx"


def test_channels_come_closer_together(tmp_path: Path) -> None:
    model = read_graph(graphs.graph())
    peaks = largest(model, [node.input[0] for node in weighted_products(model)], graphs.calibration)
    before = {node.name: peaks[node.input[0]] for node in weighted_products(model)}
    changed = smoothed(model, peaks, 0.5)
    after = largest(changed, [node.input[0] for node in weighted_products(changed)], graphs.calibration)
    spread = {
        node.name: (numpy.log(before[node.name]).std(), numpy.log(after[node.input[0]]).std())
        for node in weighted_products(changed)
    }
    better = [name for name, (one, other) in spread.items() if other < 0.9 * one]
    assert len(better) >= len(spread) / 2
    assert all(other < 1.001 * one for one, other in spread.values())


def test_the_strength_is_chosen_by_the_answers_and_said(tmp_path: Path) -> None:
    notes = smooth(graphs.graph(), tmp_path / "out.onnx", graphs.material())
    assert notes[0].startswith("SmoothQuant with a migration strength of 0.")
    assert notes[1].startswith("activation ranges by `")


def test_the_dynamic_one_moves_outliers_where_that_helps(tmp_path: Path, spoiled: Path) -> None:
    (note,) = smooth_dynamic(spoiled, tmp_path / "smooth.onnx", graphs.material())
    assert not note.startswith("SmoothQuant with a migration strength of 0 ")
    dynamic(spoiled, tmp_path / "dynamic.onnx", graphs.material())
    judge = Judge(spoiled, graphs.labelled, "any")
    assert judge(tmp_path / "smooth.onnx").divergence < judge(tmp_path / "dynamic.onnx").divergence / 2


def test_no_calibration_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`smooth` needs calibration rows"):
        smooth(graphs.graph(), tmp_path / "out.onnx", Material("int8", list, graphs.labelled))
    assert list(tmp_path.iterdir()) == []
