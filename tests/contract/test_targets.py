"""What every deployment target promises."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import graphs
import numpy
import pytest

from compress.encoders import checkpoint
from compress.errors import InputError, NotAvailable, UnknownName
from compress.files import sha256
from compress.registry import RECIPES, TARGETS
from compress.targets import Export, Extent, Target, named

EVERY = pytest.mark.parametrize("name", TARGETS.names())
EXTENT = Extent(batch=16, tokens=40)
WORST = {"fp32": 1e-5, "fp16": 0.005, "bf16": 0.05, "fp8": 0.1, "int8": 0.1, "int4": 0.3}
"""Largest mean difference to PyTorch allowed, in standard deviations of the logits."""


def loaded(name: str) -> Target:
    """The target; the test is skipped where it cannot be built."""
    target: Target = TARGETS.load(name)
    if reason := target.unavailable():
        pytest.skip(reason)
    return target


def builds(target: Target) -> Iterator[tuple[str, str | None]]:
    """Every precision with every recipe it takes, but for those that lack a package."""
    for precision, plain in target.precisions.items():
        for recipe in [plain, *sorted(target.recipes - {plain})]:
            known = RECIPES.load(recipe) if recipe else None
            if known is None or (precision in known.precisions and all(map(find_spec, known.packages))):
                yield precision, recipe


def build(target: Target, read: Path, precision: str, out: Path) -> dict[str, Any]:
    """What the target builds for calls of the sizes that the tests make."""
    return target.build(read, precision, out, extent=EXTENT, options={}) | target.tunings[0]


def runs(name: str) -> Target:
    """The target; the test is skipped where what it builds plain cannot be run."""
    target = loaded(name)
    if reason := target.unrunnable(next(iter(target.precisions))):
        pytest.skip(reason)
    return target


def source(target: Target, recipe: str | None, folder: Path, precision: str = "int8", *, uneven: bool = False) -> Path:
    """What the target's `build` reads."""
    if target.reads == "checkpoint":
        checkpoint.save(graphs.model(uneven=uneven), folder / "checkpoint")
        return folder / "checkpoint"
    if recipe is None:
        return graphs.graph(uneven=uneven)
    RECIPES.load(recipe)(graphs.graph(uneven=uneven), folder / "quantized.onnx", graphs.material(precision))
    return folder / "quantized.onnx"


def content(path: Path) -> dict[str, str]:
    """The digests of a file, or of a folder's files."""
    return {str(found.relative_to(path)): sha256(found) for found in [path, *path.rglob("*")] if found.is_file()}


def test_the_known_targets_are_here() -> None:
    assert {"onnxruntime", "onnxruntime-mobile", "onnxruntime-web", "openvino", "pytorch"} <= set(TARGETS.names())


@EVERY
def test_it_is_loaded_without_its_engine(name: str) -> None:
    code = (
        f"import sys; from compress.registry import TARGETS; t = TARGETS.load({name!r}); t.unavailable(); t.recipes\n"
    )
    heavy = "print(sorted({'torch', 'transformers', 'onnx', 'onnxruntime', 'openvino', 'numpy', 'tensorrt'} & set(sys.modules)))"
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
    assert target.predict is None or target.predict.exists()
    assert target.unrunnable() is None or target.unrunnable() == target.unrunnable(next(iter(target.precisions)))


@EVERY
@pytest.mark.parametrize("uneven", [False, True], ids=["whole", "cut"])
def test_what_is_built_answers_as_the_model(name: str, uneven: bool, tmp_path: Path) -> None:
    target = runs(name)
    batch = graphs.feeds(rows=16, length=20, seed=9)
    exact = graphs.expected(graphs.model(uneven=uneven), batch)
    for number, (precision, recipe) in enumerate(builds(target)):
        folder = tmp_path / str(number)
        out = folder / "exported" / target.file_name(precision, recipe)
        try:
            settings = build(target, source(target, recipe, folder, precision, uneven=uneven), precision, out)
        except NotAvailable:  # this machine's device lacks the precision
            continue
        if target.unrunnable(precision):
            continue
        for tuning in target.tunings:
            session = target.open(out, json.loads(json.dumps({**settings, **tuning})), threads=1)
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
def test_its_defaults_fit(name: str) -> None:
    target: Target = TARGETS.load(name)
    assert target.misfits(target.options, EXTENT) == {}


@EVERY
def test_building_twice_gives_the_same_files_and_nothing_else(name: str, tmp_path: Path) -> None:
    target = loaded(name)
    plain = next(iter(target.precisions))
    read = source(target, target.precisions[plain], tmp_path, plain)
    before = content(read)
    outs = [tmp_path / folder / target.file_name(plain, target.precisions[plain]) for folder in ("one", "two")]
    settings = [build(target, read, plain, out) for out in outs]
    made = [content(out.parent) for out in outs]
    assert made[0].keys() == made[1].keys() != set()
    assert settings[0].keys() == settings[1].keys()
    if target.reproducible:
        assert settings[0] == settings[1]
        assert made[0] == made[1]
    assert [found.name for found in outs[0].parent.iterdir() if not found.name.startswith(outs[0].stem)] == []
    assert content(read) == before


@EVERY
def test_a_session_leaves_aside_what_the_model_does_not_take_and_ends_when_closed(name: str, tmp_path: Path) -> None:
    target = runs(name)
    plain = next(iter(target.precisions))
    out = tmp_path / "exported" / target.file_name(plain, target.precisions[plain])
    read = source(target, target.precisions[plain], tmp_path, plain)
    session = target.open(out, build(target, read, plain, out), threads=1)
    batch = graphs.feeds()
    extra = {**batch, "labels": numpy.zeros(3, numpy.int64)}
    numpy.testing.assert_array_equal(session(extra), session(batch))
    session.close()
    with pytest.raises(Exception, match=r"closed|NoneType"):
        session(batch)


@EVERY
def test_a_broken_file_is_the_users_error(name: str, tmp_path: Path) -> None:
    target = runs(name)
    file = tmp_path / "broken"
    file.write_bytes(b"nothing that any engine reads")
    with pytest.raises(InputError, match="broken"):
        target.open(file, {}, threads=1)
