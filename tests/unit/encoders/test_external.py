"""ONNX files that name files elsewhere."""

from pathlib import Path

import pytest
from onnx import ModelProto, TensorProto, helper

from compress.cli.main import code
from compress.encoders import external
from compress.errors import InputError


def graph(folder: Path, location: str, *, nested: bool = False) -> Path:
    """A graph whose table is in a file of that name; `nested`: within an `If`."""
    table = TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[100, 2])
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value=location)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["states"]),
        helper.make_node("ReduceMean", ["states"], ["logits"], axes=[1], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
    made = helper.make_graph(nodes, "table", inputs, outputs, [table])
    if nested:
        branch = helper.make_node("If", ["condition"], ["logits"], then_branch=made, else_branch=made)
        made = helper.make_graph([branch], "nested", inputs, outputs)
    model: ModelProto = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "link", "loop", "a/../../secret", "sub/../../secret", "\0"]
)
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, location: str, nested: bool) -> None:
    (tmp_path / "secret").write_bytes(bytes(800))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link").symlink_to("../secret")
    (tmp_path / "model" / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"model\.onnx: takes the weights 'table' from .* outside of its folder"):
        external.check(graph(tmp_path / "model", location, nested=nested))


def test_weights_beside_the_file_are_taken(tmp_path: Path) -> None:
    external.check(graph(tmp_path, "model.onnx_data"))
    (tmp_path / "no.onnx").write_bytes(b"no graph")
    external.check(tmp_path / "no.onnx")


def test_bench_opens_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret").write_bytes(bytes(800))
    path = graph(tmp_path / "model", "../secret")
    assert code(["bench", str(path), "--rounds", "3"]) == 2
    assert "outside of its folder" in capsys.readouterr().err
