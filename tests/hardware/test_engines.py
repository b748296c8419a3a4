"""TensorRT's two engines on a GPU. What can be seen without one is in tests/unit/targets."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import graphs
import numpy
import pytest
import tiny
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from compress.encoders.graph import export_graph
from compress.encoders.modules import parts
from compress.errors import InputError, NotAvailable
from compress.registry import RECIPES, TARGETS
from compress.targets import Extent, Option, Target

pytestmark = pytest.mark.hardware

EVERY = pytest.mark.parametrize("name", ["tensorrt", "tensorrt-rtx"])
EXTENT = Extent(batch=16, tokens=64)


def here(name: str) -> Target:
    """The target; the test is skipped where its engines cannot be built and run."""
    target: Target = TARGETS.load(name)
    reason = target.unavailable() or target.unrunnable("fp16")
    if reason:
        pytest.skip(reason)
    return target


def built(
    target: Target, graph: Path, precision: str, out: Path, extent: Extent = EXTENT, **options: Option
) -> dict[str, Any]:
    """Write the engine of a graph in a precision; returns what opening it needs."""
    recipe = target.precisions[precision]
    if recipe is not None:
        read = out.with_suffix(".onnx")
        RECIPES.load(recipe)(graph, read, graphs.material(precision))
        graph = read
    return target.build(graph, precision, out, extent=extent, options=options)


@contextmanager
def opened(target: Target, file: Path, settings: dict[str, Any]) -> Iterator[Any]:
    session = target.open(file, settings, threads=1)
    yield session
    session.close()


@EVERY
def test_cuda_graphs_change_no_answer_whatever_shapes_take_turns(name: str, tmp_path: Path) -> None:
    target, file = here(name), tmp_path / "model.engine"
    settings = built(target, graphs.graph(), "fp16", file)
    ways = [settings | tuning for tuning in target.tunings]
    with opened(target, file, ways[0]) as first, opened(target, file, ways[1]) as second:
        for rows, tokens in ((1, 1), (3, 20), EXTENT, (3, 20), (1, 64), (1, 1)):
            batch = graphs.feeds(rows=rows, length=tokens, seed=rows)
            exact = graphs.expected(graphs.model(), batch)
            for session in (first, second):
                numpy.testing.assert_allclose(session(batch), exact, atol=0.02)
                assert session.gpu_ms > 0


@EVERY
def test_large_activations_stay_finite_in_fp16(name: str, tmp_path: Path) -> None:
    model = tiny.model(seed=1)
    with torch.no_grad():
        for part in parts(model):
            part.down.weight *= 3e4
            part.down.bias *= 3e4
    target, file = here(name), tmp_path / "model.engine"
    export_graph(model, tmp_path / "large.onnx")
    settings = built(target, tmp_path / "large.onnx", "fp16", file)
    batch = graphs.feeds(rows=4, length=64)
    exact = graphs.expected(model, batch)
    with opened(target, file, settings) as session:
        numpy.testing.assert_allclose(session(batch), exact, atol=0.02 * exact.std())


@EVERY
def test_calls_beyond_the_engine_are_refused_and_it_goes_on(name: str, tmp_path: Path) -> None:
    target, file = here(name), tmp_path / "model.engine"
    settings = built(target, graphs.graph(), "fp16", file, Extent(2, 16))
    with opened(target, file, settings) as session:
        with pytest.raises(InputError, match="larger than the engine takes, which is 2 x 16"):
            session(graphs.feeds(rows=3, length=16))
        assert session(graphs.feeds(rows=2, length=16)).shape == (2, 3)


@pytest.mark.parametrize("option", ["version_compatible", "hardware_compatible"])
def test_compatible_engines_answer_alike(option: str, tmp_path: Path) -> None:
    target, file = here("tensorrt"), tmp_path / "model.engine"
    if option == "hardware_compatible" and torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("hardware compatibility begins with Ampere, and this GPU is older.")
    settings = built(target, graphs.graph(), "fp16", file, **{option: True})
    batch = graphs.feeds(rows=4, length=20)
    with opened(target, file, settings) as session:
        numpy.testing.assert_allclose(session(batch), graphs.expected(graphs.model(), batch), atol=0.02)


def test_kernel_times_are_kept_and_taken_up(tmp_path: Path) -> None:
    target, kept = here("tensorrt"), tmp_path / "times"
    built(target, graphs.graph(), "fp16", tmp_path / "one.engine", timing_cache=str(kept))
    (file,) = kept.iterdir()
    first = file.stat().st_size
    built(target, graphs.graph(), "fp16", tmp_path / "two.engine", timing_cache=str(kept))
    assert [path.name for path in kept.iterdir()] == [file.name]
    assert file.stat().st_size == first > 0  # nothing had to be timed anew


def bert_base() -> PreTrainedModel:
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(num_labels=3)).eval()


@EVERY
def test_bert_base_in_fp16_is_faster_than_in_pytorch(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    target, model, file = here(name), bert_base(), tmp_path / "model.engine"
    export_graph(model, tmp_path / "base.onnx")
    settings = built(target, tmp_path / "base.onnx", "fp16", file, Extent(8, 128))
    batch = graphs.feeds(rows=8, length=128)
    exact = graphs.expected(model, batch)
    times = []
    with opened(target, file, settings | target.tunings[0]) as session:
        for _ in range(120):
            answers = session(batch)
            times.append(session.gpu_ms)
    assert numpy.abs(answers - exact).mean() < 0.02 * exact.std()
    ours = times[20:]
    model.half().cuda()
    inputs = {key: torch.from_numpy(value).cuda() for key, value in batch.items()}
    theirs = []
    with torch.inference_mode():
        for _ in range(120):
            begun, done = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begun.record()
            model(**inputs)
            done.record()
            done.synchronize()
            theirs.append(begun.elapsed_time(done))
    record_property("gpu", torch.cuda.get_device_name())
    for who, taken in ((name, ours), ("pytorch", theirs[20:])):
        record_property(f"{who}_p50_ms", statistics.median(taken))
        record_property(f"{who}_p99_ms", statistics.quantiles(taken, n=100)[98])
    assert statistics.median(ours) < statistics.median(theirs[20:])


@EVERY
def test_precisions_that_the_gpu_lacks_say_so(name: str, tmp_path: Path) -> None:
    target = here(name)
    if torch.cuda.get_device_capability() >= (8, 9):
        pytest.skip("this GPU has every precision.")
    file = tmp_path / "model.engine"
    with pytest.raises((InputError, NotAvailable), match=r"fp8 needs a GPU|compute capability"):
        target.open(file, built(target, graphs.graph(), "fp8", file), threads=1)
