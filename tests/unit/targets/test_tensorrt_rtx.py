"""Engines built here, where there is no GPU: what is in the file, and what is refused. Running them is for tests/hardware."""

import json
from pathlib import Path
from typing import Any

import graphs
import pytest

from compress.encoders.graph import export_graph
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError, UnknownName
from compress.files import sha256
from compress.registry import RECIPES
from compress.targets import Extent, Option
from compress.targets.tensorrt_rtx import tensorrt_rtx

pytestmark = pytest.mark.skipif(tensorrt_rtx.unavailable() is not None, reason=str(tensorrt_rtx.unavailable()))

EXTENT = Extent(batch=4, tokens=40)


def made(out: Path, precision: str = "fp16", *, graph: Path | None = None, **options: Option) -> dict[str, Any]:
    """Build the `bert` graph, or another, as a pipeline would."""
    graph, recipe = graph or graphs.graph(), tensorrt_rtx.precisions[precision]
    if recipe is not None:
        read = out.with_suffix(".onnx")
        RECIPES.load(recipe)(graph, read, graphs.material(precision))
        graph = read
    return tensorrt_rtx.build(graph, precision, out, extent=EXTENT, options=options)


@pytest.mark.parametrize("precision", tensorrt_rtx.precisions)
def test_every_precision_is_built_and_the_file_described(precision: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "model.engine"
    out.parent.mkdir()
    settings = made(out, precision)
    assert settings == {"size_bytes": out.stat().st_size, "sha256": sha256(out)}
    assert json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("precision", tensorrt_rtx.precisions)
def test_models_cut_unevenly_or_without_a_part_are_built(precision: str, tmp_path: Path) -> None:
    whole = graphs.model()
    masks = Masks.full(whole)
    masks.heads[0][:] = False
    masks.neurons[1][:] = False
    export_graph(cut(whole, masks), tmp_path / "gone.onnx")
    for name, graph in (("uneven", graphs.graph(uneven=True)), ("gone", tmp_path / "gone.onnx")):
        out = tmp_path / f"{name}.engine"
        assert made(out, precision, graph=graph)["size_bytes"] == out.stat().st_size > 100_000


def test_the_symmetric_graph_that_tensorrt_and_openvino_read_is_built_mixed_with_fp16_or_fp32(tmp_path: Path) -> None:
    RECIPES.load("symmetric_qdq")(graphs.graph(), tmp_path / "int8.onnx", graphs.material())
    for precision in ("int8", "fp32"):  # as fp32 it is taken as it is
        out = tmp_path / f"{precision}.engine"
        tensorrt_rtx.build(tmp_path / "int8.onnx", precision, out, extent=EXTENT, options={})
    mixed, single = ((tmp_path / f"{precision}.engine").read_bytes() for precision in ("int8", "fp32"))
    assert min(len(mixed), len(single)) > 100_000
    assert mixed != single


def test_engines_for_chosen_gpus_say_so_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    headers = []
    for number, chosen in enumerate(((), (), ("8.6",), ("8.9", "12.0"))):
        made(tmp_path / f"{number}.engine", compute_capabilities=chosen)
        headers.append((tmp_path / f"{number}.engine").read_bytes()[:64])
    assert headers[0] == headers[1]
    assert len(set(headers)) == 3
    with pytest.raises(UnknownName, match=r"no such compute capability `9\.9`.*8\.6"):
        made(tmp_path / "none.engine", compute_capabilities=("9.9",))
    assert not (tmp_path / "none.engine").exists()


def test_a_typical_call_beyond_the_largest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"options\.typical_batch: 5 is not within the largest call\. Give 1 to 4"):
        made(tmp_path / "none.engine", typical_batch=5)


def test_a_graph_that_it_cannot_read_is_refused_with_its_words_and_nothing_is_written(tmp_path: Path) -> None:
    RECIPES.load("dynamic")(graphs.graph(), tmp_path / "dynamic.onnx", graphs.material())
    out = tmp_path / "out" / "model.engine"
    with pytest.raises(InputError, match=r"dynamic\.onnx: tensorrt_rtx cannot build it: .*unsupported"):
        tensorrt_rtx.build(tmp_path / "dynamic.onnx", "int8", out, extent=EXTENT, options={})
    assert not out.exists()


def test_damage_is_found_before_an_engine_is_loaded(tmp_path: Path) -> None:
    out = tmp_path / "model.engine"
    settings = made(out)
    content = out.read_bytes()
    for damaged in (content[:-1], content[:-1] + b"\0" if content[-1] else content[:-1] + b"\1", b""):
        out.write_bytes(damaged)
        with pytest.raises(InputError, match=r"model\.engine: is not the engine that was built"):
            tensorrt_rtx.open(out, settings, threads=1)
    out.unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        tensorrt_rtx.open(out, settings, threads=1)


def test_what_is_no_engine_is_refused_by_its_header(tmp_path: Path) -> None:
    file = tmp_path / "broken.engine"
    file.write_bytes(b"nothing that any engine reads" * 10)
    with pytest.raises(InputError, match=r"broken\.engine: TensorRT-RTX cannot load it: it is no engine"):
        tensorrt_rtx.open(file, {}, threads=1)


@pytest.mark.skipif(tensorrt_rtx.unrunnable("fp16") is None, reason="a GPU is here")
def test_without_a_gpu_a_good_engine_is_refused_with_the_reason(tmp_path: Path) -> None:
    settings = made(tmp_path / "model.engine")
    with pytest.raises(InputError, match=r"model\.engine: TensorRT-RTX cannot load it: ."):
        tensorrt_rtx.open(tmp_path / "model.engine", settings, threads=1)


def test_files_are_named_after_precision_and_recipe() -> None:
    assert tensorrt_rtx.file_name("fp16", "fp16") == "tensorrt-rtx/model_fp16.engine"
    assert tensorrt_rtx.file_name("int8", "weight_only") == "tensorrt-rtx/model_int8.engine"
    assert tensorrt_rtx.file_name("int8", "symmetric_qdq") == "tensorrt-rtx/model_int8_symmetric_qdq.engine"
