import logging
import sys
from pathlib import Path

import flatbuffers
import graphs
import numpy
import onnxruntime
import pytest
import scripts

from compress.errors import InputError
from compress.registry import RECIPES
from compress.targets import Extent
from compress.targets._ort_format import _write, settle
from compress.targets.onnxruntime_mobile import onnxruntime_mobile

EXTENT = Extent(batch=16, tokens=40)


def build(source: Path, out: Path) -> Path:
    assert onnxruntime_mobile.build(source, "fp32", out, extent=EXTENT, options={}) == {}
    return out


def written(source: Path, out: Path) -> Path:
    """What ONNX Runtime writes by itself."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(out)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return out


def needs(model: Path) -> dict[str, set[str]]:
    """The operators of the list beside a model, by their domain."""
    found: dict[str, set[str]] = {}
    for line in model.with_name(f"{model.name}.required_operators.config").read_text().splitlines()[1:]:
        domain, _, listed = line.split(";")
        depth, names = 0, [""]
        for sign in listed:
            depth += {"{": 1, "}": -1}.get(sign, 0)
            if depth == 0 and sign == ",":
                names.append("")
            elif depth == 0 and sign != "}":
                names[-1] += sign
        found.setdefault(domain, set()).update(names)
    return found


def test_files_are_named_by_what_made_them() -> None:
    assert onnxruntime_mobile.file_name("fp32", None) == "model.ort"
    assert onnxruntime_mobile.file_name("int8", "dynamic") == "model_quantized.ort"
    assert onnxruntime_mobile.file_name("int8", "static_qdq") == "model_static_qdq.ort"


def test_the_operators_are_those_of_any_processor_and_leave_the_slow_fusion_out(tmp_path: Path) -> None:
    found = needs(build(graphs.graph(), tmp_path / "model.ort"))
    assert found.keys() == {"ai.onnx", "com.microsoft"}  # com.microsoft.nchwc is for some processors alone
    assert {"Gather", "MatMul", "Softmax", "LayerNormalization"} <= found["ai.onnx"]
    assert "BiasGelu" in found["com.microsoft"]
    assert not {name for name in found["com.microsoft"] if "Skip" in name}


def test_the_list_has_the_types_that_the_operators_are_used_with(tmp_path: Path) -> None:
    RECIPES.load("dynamic")(graphs.graph(), tmp_path / "quantized.onnx", graphs.material())
    out = build(tmp_path / "quantized.onnx", tmp_path / "made" / "model_quantized.ort")
    text = (out.parent / "model_quantized.ort.required_operators.config").read_text()
    assert text.startswith("# What model_quantized.ort needs of ONNX Runtime.\nai.onnx;")
    assert 'DynamicQuantizeLinear{"outputs": {"0": ["uint8_t"]}}' in text
    assert "DynamicQuantizeMatMul" in needs(out)["com.microsoft"]
    assert str(tmp_path) not in text


def test_building_says_nothing_and_leaves_the_process_as_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handlers, path = logging.root.handlers[:], sys.path[:]
    build(graphs.graph(), tmp_path / "model.ort")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert (logging.root.handlers, sys.path) == (handlers, path)


def test_settling_changes_nothing_but_the_order_of_the_table(tmp_path: Path) -> None:
    made = [written(graphs.graph(), tmp_path / f"{number}.ort") for number in range(6)]
    before = [file.read_bytes() for file in made]
    for file in made:
        settle(file)
    after = {file.read_bytes() for file in made}
    assert len(after) == 1 < len(set(before))
    [content] = after
    graph_bytes = len(content) * 9 // 10
    assert content[-graph_bytes:] == before[0][-graph_bytes:]
    settle(made[0])
    assert made[0].read_bytes() == content
    batch = graphs.feeds()
    (tmp_path / "raw.ort").write_bytes(before[0])
    numpy.testing.assert_array_equal(graphs.answers(made[0], batch), graphs.answers(tmp_path / "raw.ort", batch))


def test_a_file_with_the_table_behind_the_graph_is_left_as_it_is(tmp_path: Path) -> None:
    builder = flatbuffers.Builder()
    table = _write(builder, [(b"b", []), (b"a", [(b"T", [(0, 1)])])])
    version = builder.CreateString("6")
    builder.StartObject(1)
    graph = builder.EndObject()
    builder.StartObject(4)
    for slot, place in ((0, version), (1, graph), (3, table)):
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.Finish(builder.EndObject(), b"ORTM")
    (tmp_path / "other.ort").write_bytes(builder.Output())
    settle(tmp_path / "other.ort")
    assert (tmp_path / "other.ort").read_bytes() == builder.Output()


def test_a_file_that_is_no_graph_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"broken\.onnx: ONNX Runtime cannot turn it into an \.ort file: "):
        build(tmp_path / "broken.onnx", tmp_path / "made" / "model.ort")
    assert list((tmp_path / "made").iterdir()) == []


def test_the_script_beside_it_answers(tmp_path: Path) -> None:
    file = build(graphs.graph(), tmp_path / "model.ort")
    scripts.check(onnxruntime_mobile, tmp_path, file.name, {}, onnxruntime_mobile.open(file, {}, threads=1))
