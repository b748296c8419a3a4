import gc
import linecache
import logging
from pathlib import Path

import graphs
import numpy
import onnx
import pytest
import tiny
import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.fx.graph_module import _loader

from compress.encoders import graph as graph_module
from compress.encoders.families import FAMILIES
from compress.encoders.graph import export_graph, read_graph, write_graph


@pytest.mark.parametrize(
    ("family", "uneven"), [("bert", False), *((family, True) for family in FAMILIES)], ids=lambda value: str(value)
)
def test_a_graph_answers_as_its_model_at_any_shape(family: str, uneven: bool) -> None:
    path = graphs.graph(family, uneven=uneven)
    for rows, length in ((1, 1), (3, 7), (5, 40)):
        batch = graphs.feeds(family, rows, length)
        expected = graphs.expected(graphs.model(family, uneven=uneven), batch)
        numpy.testing.assert_allclose(graphs.answers(path, batch), expected, atol=2e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_and_outputs_are_named_and_dynamic(family: str) -> None:
    found = read_graph(graphs.graph(family, uneven=True)).graph
    assert [value.name for value in found.input] == list(FAMILIES[family].inputs)
    assert all(axes(value) == ["batch", "sequence"] for value in found.input)
    assert {value.type.tensor_type.elem_type for value in found.input} == {onnx.TensorProto.INT64}
    assert [(value.name, axes(value)) for value in found.output] == [("logits", ["batch", 3])]


def axes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_the_same_weights_give_the_same_bytes_and_no_trace_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "again.onnx"
    export_graph(tiny.model(), path)
    content = path.read_bytes()
    assert content == graphs.graph().read_bytes()
    for trace in (str(tmp_path), str(Path.cwd()), str(Path.home()), str(Path(torch.__file__).parents[1]), ".py"):
        assert trace.encode() not in content
    assert not read_graph(path).graph.value_info


def test_the_shapes_and_sources_of_past_exports_are_freed(tmp_path: Path) -> None:
    model, held = tiny.model(layers=1), []
    sources = list(linecache.cache), list(_loader.eval_cache)
    for _ in range(4):
        export_graph(model, tmp_path / "model.onnx")
        gc.collect()
        held.append(sum(type(one) is ShapeEnv for one in gc.get_objects()))
    assert max(held[2:]) <= held[1]  # PyTorch keeps those of one export until the next
    assert not [name for name in set(linecache.cache) - set(sources[0]) if name.startswith("<eval_with_key>")]
    assert list(_loader.eval_cache) == sources[1]


def test_the_model_is_left_as_it_is_and_the_exporter_is_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    model = tiny.model(layers=1).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        export_graph(model, tmp_path / "deep" / "model.onnx")
    assert model.training
    assert model.config._attn_implementation == "sdpa"
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.onnx"]
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_weights_beyond_the_limit_of_a_message_go_to_a_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = graphs.graph().read_bytes()
    monkeypatch.setattr(graph_module, "MESSAGE_LIMIT_BYTES", 1000)
    path = tmp_path / "model.onnx"
    write_graph(read_graph(graphs.graph()), path)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["model.onnx", "model.onnx_data"]
    batch = graphs.feeds()
    numpy.testing.assert_array_equal(graphs.answers(path, batch), graphs.answers(graphs.graph(), batch))
    monkeypatch.undo()
    write_graph(read_graph(path), tmp_path / "one.onnx")
    assert (tmp_path / "one.onnx").read_bytes() == whole
    write_graph(read_graph(path), path)
    assert [found.name for found in tmp_path.iterdir() if found.name.endswith("_data")] == []
    assert path.read_bytes() == whole


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("old")

    def full(_graph: object, file: Path, **_options: object) -> None:
        file.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(onnx, "save_model", full)
    with pytest.raises(OSError, match="No space left"):
        write_graph(read_graph(graphs.graph()), path)
    assert [found.name for found in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_text() == "old"
