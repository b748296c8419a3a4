"""What every quantization recipe promises."""

import logging
import subprocess
import sys
from pathlib import Path

import graphs
import numpy
import pytest

from compress.encoders import graph as graph_module
from compress.encoders.graph import read_graph, write_graph
from compress.registry import RECIPES

EVERY = pytest.mark.parametrize("name", RECIPES.names())
WORST = {"fp16": 0.005}
"""Largest mean error allowed, in standard deviations of the logits; 0.1 for what is not listed."""


def test_the_known_recipes_are_here() -> None:
    assert {"dynamic", "static_qdq", "fp16"} <= set(RECIPES.names())


@EVERY
def test_a_recipe_makes_a_smaller_graph_that_answers_nearly_the_same(name: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.onnx"
    RECIPES.load(name)(graphs.graph(), out, graphs.calibration)
    assert out.stat().st_size < 0.6 * graphs.graph().stat().st_size
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graphs.graph(), batch)
    assert graphs.answers(out, batch).dtype == numpy.float32
    error = numpy.abs(graphs.answers(out, batch) - exact).mean() / exact.std()
    assert 0 < error < WORST.get(name, 0.1)


@EVERY
def test_a_recipe_says_whether_it_calibrates(name: str, tmp_path: Path) -> None:
    asked = []

    def calibration() -> list[dict[str, numpy.ndarray]]:
        asked.append(True)
        return graphs.calibration()

    recipe = RECIPES.load(name)
    recipe(graphs.graph(), tmp_path / "out.onnx", calibration)
    assert recipe.calibrates == bool(asked)


def test_recipes_are_light_to_import() -> None:
    script = (
        "import sys; from compress.registry import RECIPES; [RECIPES.load(name) for name in RECIPES.names()]; "
        "sys.exit(', '.join(sorted({'torch', 'onnx', 'onnxruntime'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@EVERY
def test_a_recipe_takes_uneven_models(name: str, tmp_path: Path) -> None:
    graph = graphs.graph(uneven=True)
    RECIPES.load(name)(graph, tmp_path / "out.onnx", graphs.calibration)
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graph, batch)
    assert numpy.abs(graphs.answers(tmp_path / "out.onnx", batch) - exact).mean() < 0.1 * exact.std()


@EVERY
def test_the_same_graph_gives_the_same_bytes_and_nothing_else(name: str, tmp_path: Path) -> None:
    for out in ("one.onnx", "two.onnx"):
        RECIPES.load(name)(graphs.graph(), tmp_path / out, graphs.calibration)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.onnx", "two.onnx"]
    content = (tmp_path / "one.onnx").read_bytes()
    assert content == (tmp_path / "two.onnx").read_bytes()
    assert str(tmp_path).encode() not in content
    assert not read_graph(tmp_path / "one.onnx").graph.value_info
    assert [path.name for path in graphs.graph().parent.iterdir() if "inferred" in path.name] == []


@EVERY
def test_a_recipe_says_nothing(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        RECIPES.load(name)(graphs.graph(), tmp_path / "out.onnx", graphs.calibration)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@EVERY
def test_a_graph_with_its_weights_beside_it_is_read_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "MESSAGE_LIMIT_BYTES", 1000)
    write_graph(read_graph(graphs.graph()), tmp_path / "model.onnx")
    monkeypatch.undo()
    RECIPES.load(name)(tmp_path / "model.onnx", tmp_path / "out.onnx", graphs.calibration)
    RECIPES.load(name)(graphs.graph(), tmp_path / "other.onnx", graphs.calibration)
    assert (tmp_path / "out.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()
