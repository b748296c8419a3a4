"""What every quantization recipe promises."""

import logging
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import graphs
import numpy
import pytest
from _pytest.mark import ParameterSet
from numpy.typing import NDArray

from compress.encoders import graph as graph_module
from compress.encoders.graph import read_graph, write_graph
from compress.quantization import Material
from compress.registry import RECIPES


def known(name: str, *further: str) -> ParameterSet:
    """A recipe's name and what goes with it, which is skipped where it lacks a package."""
    missing = [package for package in RECIPES.load(name).packages if find_spec(package) is None]
    return pytest.param(
        name, *further, marks=pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")
    )


EVERY = pytest.mark.parametrize("name", [known(name) for name in RECIPES.names()])
EVERYTHING = pytest.mark.parametrize(
    ("name", "precision"),
    [known(name, one) for name in RECIPES.names() for one in sorted(RECIPES.load(name).precisions)],
)
WORST = {"fp16": 0.005, "int4": 0.3}
"""Largest mean error allowed, in standard deviations of the logits; 0.1 for what is not listed."""


def precision(name: str) -> str:
    """One that the recipe makes."""
    return max(RECIPES.load(name).precisions)


def test_the_known_recipes_are_here() -> None:
    assert {"dynamic", "static_qdq", "smooth", "weight_only", "mixed", "nncf", "fp16"} <= set(RECIPES.names())


def _numbers(path: Path) -> int:
    """The bytes of a graph's weights; those of its nodes count for much in a tiny one."""
    return sum(tensor.ByteSize() for tensor in read_graph(path).graph.initializer)


@EVERYTHING
def test_a_recipe_makes_a_smaller_graph_that_answers_nearly_the_same(name: str, precision: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.onnx"
    RECIPES.load(name)(graphs.graph(), out, graphs.material(precision))
    assert _numbers(out) < 0.6 * _numbers(graphs.graph())
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graphs.graph(), batch)
    assert graphs.answers(out, batch).dtype == numpy.float32
    error = numpy.abs(graphs.answers(out, batch) - exact).mean() / exact.std()
    assert 0 < error < WORST.get(precision, 0.1)


@EVERY
def test_a_recipe_says_whether_it_calibrates(name: str, tmp_path: Path) -> None:
    asked = []

    def calibration() -> list[graphs.Feeds]:
        asked.append("calibration")
        return graphs.calibration()

    def validation() -> list[tuple[graphs.Feeds, NDArray[numpy.int64]]]:
        asked.append("validation")
        return graphs.labelled()

    recipe = RECIPES.load(name)
    notes = recipe(graphs.graph(), tmp_path / "out.onnx", Material(precision(name), calibration, validation))
    assert all(isinstance(note, str) for note in notes)
    assert recipe.calibrates == bool(asked)


@EVERYTHING
def test_a_recipe_says_whether_an_answer_depends_on_the_rows_beside_it(
    name: str, precision: str, tmp_path: Path
) -> None:
    recipe, out = RECIPES.load(name), tmp_path / "out.onnx"
    recipe(graphs.graph(), out, graphs.material(precision))
    batch = graphs.feeds(rows=16, length=20, seed=9)
    batch = {**batch, "attention_mask": numpy.ones_like(batch["attention_mask"])}
    together = graphs.answers(out, batch)
    alone = [graphs.answers(out, {key: value[[row]] for key, value in batch.items()}) for row in range(16)]
    difference = numpy.abs(together - numpy.concatenate(alone)).max() / together.std()
    assert (difference > 1e-3) == recipe.by_call


def test_recipes_are_light_to_import() -> None:
    script = (
        "import sys; from compress.registry import RECIPES; [RECIPES.load(name) for name in RECIPES.names()]; "
        "sys.exit(', '.join(sorted({'torch', 'onnx', 'onnxruntime', 'nncf', 'rich'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@EVERY
def test_a_recipe_takes_uneven_models(name: str, tmp_path: Path) -> None:
    graph = graphs.graph(uneven=True)
    RECIPES.load(name)(graph, tmp_path / "out.onnx", graphs.material(precision(name)))
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.answers(graph, batch)
    assert numpy.abs(graphs.answers(tmp_path / "out.onnx", batch) - exact).mean() < 0.1 * exact.std()


@EVERY
def test_the_same_graph_gives_the_same_bytes_and_nothing_else(name: str, tmp_path: Path) -> None:
    for out in ("one.onnx", "two.onnx"):
        RECIPES.load(name)(graphs.graph(), tmp_path / out, graphs.material(precision(name)))
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
        RECIPES.load(name)(graphs.graph(), tmp_path / "out.onnx", graphs.material(precision(name)))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@EVERY
def test_a_graph_with_its_weights_beside_it_is_read_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "MESSAGE_LIMIT_BYTES", 1000)
    write_graph(read_graph(graphs.graph()), tmp_path / "model.onnx")
    monkeypatch.undo()
    RECIPES.load(name)(tmp_path / "model.onnx", tmp_path / "out.onnx", graphs.material(precision(name)))
    RECIPES.load(name)(graphs.graph(), tmp_path / "other.onnx", graphs.material(precision(name)))
    assert (tmp_path / "out.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()
