"""What every deployment target promises."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import graphs
import numpy
import pytest

from compress.encoders import checkpoint
from compress.errors import InputError, UnknownName
from compress.files import sha256
from compress.registry import RECIPES, TARGETS
from compress.targets import Export, Target, named

EVERY = pytest.mark.parametrize("name", TARGETS.names())
WORST = {"fp32": 1e-5, "fp16": 0.005, "int8": 0.1}
"""Largest mean difference to PyTorch allowed, in standard deviations of the logits."""


def loaded(name: str) -> Target:
    """The target; the test is skipped where it cannot be built."""
    target: Target = TARGETS.load(name)
    if reason := target.unavailable():
        pytest.skip(reason)
    return target


def builds(target: Target) -> Iterator[tuple[str, str | None]]:
    """Every precision with every recipe it takes."""
    for precision, recipe in target.precisions.items():
        yield precision, recipe
        if precision.startswith("int"):
            yield from ((precision, other) for other in sorted(target.recipes - {recipe}))


def source(target: Target, recipe: str | None, folder: Path, *, uneven: bool = False) -> Path:
    """What the target's `build` reads."""
    if target.reads == "checkpoint":
        checkpoint.save(graphs.model(uneven=uneven), folder / "checkpoint")
        return folder / "checkpoint"
    if recipe is None:
        return graphs.graph(uneven=uneven)
    RECIPES.load(recipe)(graphs.graph(uneven=uneven), folder / "quantized.onnx", graphs.calibration)
    return folder / "quantized.onnx"


def content(path: Path) -> dict[str, str]:
    """The digests of a file, or of a folder's files."""
    return {str(found.relative_to(path)): sha256(found) for found in [path, *path.rglob("*")] if found.is_file()}


def test_the_known_targets_are_here() -> None:
    assert {"onnxruntime", "pytorch"} <= set(TARGETS.names())


@EVERY
def test_it_is_loaded_without_its_engine(name: str) -> None:
    code = (
        f"import sys; from compress.registry import TARGETS; t = TARGETS.load({name!r}); t.unavailable(); t.recipes\n"
    )
    heavy = "print(sorted({'torch', 'transformers', 'onnx', 'onnxruntime', 'numpy', 'tensorrt'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@EVERY
def test_recipes_exist_and_file_names_differ_and_stay_inside(name: str) -> None:
    target: Target = TARGETS.load(name)
    assert target.recipes <= set(RECIPES.names())
    assert {recipe for recipe in target.precisions.values() if recipe} <= set(RECIPES.names())
    names = [target.file_name(*build) for build in builds(target)]
    assert len(set(names)) == len(names)
    for found in names:
        assert not Path(found).is_absolute()
        assert ".." not in Path(found).parts
    assert target.predict is None or target.predict.is_file()


@EVERY
@pytest.mark.parametrize("uneven", [False, True], ids=["whole", "cut"])
def test_what_is_built_answers_as_the_model(name: str, uneven: bool, tmp_path: Path) -> None:
    target = loaded(name)
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.expected(graphs.model(uneven=uneven), batch)
    for number, (precision, recipe) in enumerate(builds(target)):
        folder = tmp_path / str(number)
        out = folder / "exported" / target.file_name(precision, recipe)
        settings = target.build(source(target, recipe, folder, uneven=uneven), precision, out)
        session = target.open(out, json.loads(json.dumps(settings)), threads=1)
        answers = session(batch)
        assert answers.dtype == numpy.float32
        assert numpy.abs(answers - exact).mean() < WORST[precision] * exact.std(), (precision, recipe)
        for shape in ((1, 1), (5, 33)):
            assert session(graphs.feeds(rows=shape[0], length=shape[1])).shape == (shape[0], 3)
        session.close()


def test_every_way_to_deploy_has_an_id() -> None:
    for target in TARGETS.names():
        for precision in TARGETS.load(target).precisions:
            assert named(f"{target}-{precision}") == Export(target, precision, None)
    asked = named("onnxruntime-int8-static_qdq")
    assert (asked, asked.id) == (Export("onnxruntime", "int8", "static_qdq"), "onnxruntime-int8-static_qdq")
    for unknown in ("onnxruntime", "onnxruntime-fp16-dynamic", "pytorch-int8"):
        with pytest.raises(UnknownName, match="no such export"):
            named(unknown)


@EVERY
def test_building_twice_gives_the_same_bytes_and_nothing_else(name: str, tmp_path: Path) -> None:
    target = loaded(name)
    read = source(target, None, tmp_path)
    before = content(read)
    outs = [tmp_path / folder / target.file_name("fp32", None) for folder in ("one", "two")]
    settings = [target.build(read, "fp32", out) for out in outs]
    assert settings[0] == settings[1]
    assert content(outs[0]) == content(outs[1]) != {}
    assert [found.name for found in outs[0].parent.iterdir()] == [outs[0].name]
    assert content(read) == before
    assert target.build(outs[0], "fp32", outs[0]) == settings[0]
    assert content(outs[0]) == content(outs[1])


@EVERY
def test_a_session_leaves_aside_what_the_model_does_not_take_and_ends_when_closed(name: str, tmp_path: Path) -> None:
    target = loaded(name)
    out = tmp_path / "exported" / target.file_name("fp32", None)
    session = target.open(out, target.build(source(target, None, tmp_path), "fp32", out), threads=1)
    batch = graphs.feeds()
    extra = {**batch, "labels": numpy.zeros(3, numpy.int64)}
    numpy.testing.assert_array_equal(session(extra), session(batch))
    session.close()
    with pytest.raises(Exception, match=r"closed|NoneType"):
        session(batch)


@EVERY
def test_a_broken_file_is_the_users_error(name: str, tmp_path: Path) -> None:
    target = loaded(name)
    file = tmp_path / "broken"
    file.write_bytes(b"nothing that any engine reads")
    with pytest.raises(InputError, match="broken"):
        target.open(file, {}, threads=1)
