import json
import subprocess
import sys
from pathlib import Path

import graphs
import pytest
import tiny
from onnx import TensorProto, helper, save

from compress.cli.main import code
from compress.encoders import checkpoint
from compress.targets import Extent
from compress.targets.onnxruntime_mobile import onnxruntime_mobile

QUICK = ["--batch", "2", "--sequence", "4,6", "--rounds", "3"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    exit_code = code(["bench", *map(str, arguments)])
    captured = capsys.readouterr()
    return exit_code, captured.out, captured.err


def foreign(path: Path, ids: int = TensorProto.INT32, name: str = "input_ids") -> Path:
    """Another maker's graph: 32-bit ids, no mask, two outputs of other names."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [100, 2], [0.5] * 200)
    nodes = [
        helper.make_node("Gather", ["table", name], ["states"]),
        helper.make_node("ReduceMean", ["states"], ["scores"], axes=[1], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(name, ids, ["batch", "tokens"])]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2]),
        helper.make_tensor_value_info("states", TensorProto.FLOAT, ["batch", "tokens", 2]),
    ]
    graph = helper.make_graph(nodes, "foreign", inputs, outputs, [table])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_files_of_all_makers_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = foreign(tmp_path / "foreign.onnx")
    mobile = tmp_path / "model.ort"
    onnxruntime_mobile.build(graphs.graph(), "fp32", mobile, extent=Extent(2, 8), options={})
    checkpoint.save(tiny.model(), tmp_path / "checkpoint")
    files = [graphs.graph(), other, mobile, tmp_path / "checkpoint"]
    exit_code, out, err = run(capsys, *files, *QUICK, "--json", tmp_path / "out.json")
    assert (exit_code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:6] == ["batch", "×", "tokens", "model", "runs", "in"]
    assert [line[0] for line in lines[1:9]] == ["2", *map(str, files[1:]), "2", *map(str, files[1:])]
    assert lines[1][:5] == ["2", "×", "4", str(files[0]), "onnxruntime"]
    assert [line[-1] for line in (lines[1], lines[5])] == ["1×", "1×"]
    measured = json.loads((tmp_path / "out.json").read_text())
    assert [model["file"] for model in measured["models"]] == list(map(str, files))
    assert [model["target"] for model in measured["models"]] == [
        "onnxruntime",
        "onnxruntime",
        "onnxruntime-mobile",
        "pytorch",
    ]
    assert [cell["sequence"] for cell in measured["models"][3]["latency"]] == [4, 6]
    assert {"python", "onnxruntime", "torch"} <= set(measured["versions"])
    assert (measured["threads"], measured["rounds"], measured["seed"]) == (1, 3, 0)


def test_every_bad_file_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("")
    exit_code, out, err = run(capsys, tmp_path / "a.txt", graphs.graph(), tmp_path / "b.onnx", *QUICK)
    assert (exit_code, out) == (2, "")
    told = err.splitlines()
    assert told[0].startswith(f"{tmp_path / 'a.txt'}: no model that can be timed.")
    assert told[1:] == [f"{tmp_path / 'b.onnx'}: there is no such file or folder.", "2 errors, nothing was run."]


def test_graphs_that_are_no_text_encoders_and_rows_that_are_too_long_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    images = foreign(tmp_path / "images.onnx", name="pixel_values")
    exit_code, _, err = run(capsys, tmp_path / "broken.onnx", images, *QUICK)
    assert exit_code == 2
    assert err.splitlines()[0].startswith(f"{tmp_path / 'broken.onnx'}: ONNX Runtime cannot load it: ")
    assert err.splitlines()[1:] == [
        f"{images}: takes `pixel_values` (tensor(int32)); known are input_ids, attention_mask, token_type_ids, in int64 "
        "or int32.",
        "2 errors, nothing was run.",
    ]
    exit_code, out, err = run(capsys, graphs.graph(), "--sequence", "4,99999")
    assert (exit_code, out) == (2, "")
    assert err.startswith(f"{graphs.graph()}: does not answer 1 x 99999 tokens: ")


@pytest.mark.parametrize("counts", ["0", "1,", "", "1.5", "-1", "²", "1;8"])
def test_counts_are_whole_numbers(counts: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, _, err = run(capsys, graphs.graph(), f"--batch={counts}")
    assert exit_code == 2
    assert err.startswith(f"--batch {counts}: give whole numbers above 0 with commas between")


def test_help_and_mistakes_import_nothing_heavy() -> None:
    heavy = "sorted({'torch', 'transformers', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules))"
    script = f"import sys; from compress.cli.main import code; code(sys.argv[1:]); sys.exit({heavy} or None)"
    for arguments in (["bench", "--help"], ["bench", "nothing.onnx"]):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_folder_in_place_of_the_json_is_told_before_anything_is_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, out, err = run(capsys, graphs.graph(), *QUICK, "--json", tmp_path)
    assert (exit_code, out) == (2, "")
    assert f"--json {tmp_path}: is a folder. Give a file." in err
