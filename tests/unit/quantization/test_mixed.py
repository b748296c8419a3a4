from pathlib import Path

import graphs
import numpy
import onnx
import pytest
from onnx import numpy_helper

from compress.encoders.graph import read_graph
from compress.errors import InputError
from compress.quantization import Material
from compress.quantization.dynamic import dynamic
from compress.quantization.mixed import mixed
from compress.quantization.static_qdq import weighted_products


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A graph one of whose products cannot be quantized well, and that product.

    One channel of its input is a thousand times as large, and its weights as much smaller: the answers stay.
    """
    path = tmp_path_factory.mktemp("mixed") / "spoiled.onnx"
    model = read_graph(graphs.graph())
    product = weighted_products(model)[-3]
    width = next(tensor.dims[0] for tensor in model.graph.initializer if tensor.name == product.input[1])
    scale = numpy.ones(width, numpy.float32)
    scale[0] = 1000
    names = {tensor.name: tensor for tensor in model.graph.initializer}
    weight = numpy_helper.to_array(names[product.input[1]]) / scale[:, None]
    names[product.input[1]].CopyFrom(numpy_helper.from_array(weight, product.input[1]))
    model.graph.initializer.append(numpy_helper.from_array(scale, "scale"))
    place = list(model.graph.node).index(product)
    model.graph.node.insert(place, onnx.helper.make_node("Mul", [product.input[0], "scale"], ["scaled"], name="scaled"))
    model.graph.node[place + 1].input[0] = "scaled"
    onnx.save(model, path)
    return path, product.name


def validation() -> list[tuple[graphs.Feeds, numpy.ndarray]]:
    batches = [graphs.feeds(rows=8, length=8 + seed, seed=100 + seed) for seed in range(16)]
    return [(batch, graphs.answers(graphs.graph(), batch).argmax(-1)) for batch in batches]


def test_what_hurts_stays_in_float_and_nothing_else(spoiled: tuple[Path, str], tmp_path: Path) -> None:
    graph, product = spoiled
    exact = [(feed, graphs.answers(graph, feed)) for feed, _ in validation()]
    dynamic(graph, tmp_path / "all.onnx", graphs.material())
    lost = sum(
        (graphs.answers(tmp_path / "all.onnx", feed).argmax(-1) != right.argmax(-1)).sum() for feed, right in exact
    )
    assert lost > 0
    (note,) = mixed(graph, tmp_path / "mixed.onnx", Material("int8", list, validation, max_drop=0))
    assert product in note
    kept = sum(
        (graphs.answers(tmp_path / "mixed.onnx", feed).argmax(-1) != right.argmax(-1)).sum() for feed, right in exact
    )
    assert kept == 0
    left = [node.name for node in weighted_products(read_graph(tmp_path / "mixed.onnx"))]
    assert product in left
    assert len(left) < 2 * 6


def test_without_harm_it_is_the_dynamic_one(tmp_path: Path) -> None:
    (note,) = mixed(graphs.graph(), tmp_path / "mixed.onnx", Material("int8", list, validation, max_drop=0.5))
    assert "nothing had to stay in float" in note
    dynamic(graphs.graph(), tmp_path / "dynamic.onnx", graphs.material())
    assert (tmp_path / "mixed.onnx").read_bytes() == (tmp_path / "dynamic.onnx").read_bytes()


def test_no_validation_row_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs validation rows"):
        mixed(graphs.graph(), tmp_path / "out.onnx", Material("int8", list, list))
    assert list(tmp_path.iterdir()) == []
