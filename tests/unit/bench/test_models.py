import json
from pathlib import Path

import pytest

from compress.bench.models import Model, find
from compress.errors import InputError

EVERY = {"recipe": None, "asked": True, "batch": 1}
FILES = [
    {
        "file": "onnx/model.onnx",
        "precision": "fp32",
        "settings": {"disabled_optimizers": ["A"]},
        "size_bytes": 40,
        **EVERY,
    },
    {"file": "onnx/model_quantized.onnx", "precision": "int8", "settings": {}, "size_bytes": 10, **EVERY},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exported folder."""
    (tmp_path / "out" / "onnx").mkdir(parents=True)
    for file in FILES:
        (tmp_path / "out" / str(file["file"])).write_bytes(b"model")
    (tmp_path / "out" / "export.json").write_text(
        json.dumps({"target": "onnxruntime-web", "parameters": 9, "files": FILES})
    )
    return tmp_path / "out"


def test_an_exported_folder_means_all_of_its_files(folder: Path) -> None:
    assert find(folder) == [
        Model(folder / "onnx/model.onnx", "onnxruntime-web", {"disabled_optimizers": ["A"]}, "fp32", 40),
        Model(folder / "onnx/model_quantized.onnx", "onnxruntime-web", {}, "int8", 10),
    ]


def test_a_file_of_an_exported_folder_is_opened_as_the_folder_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(folder / "onnx" / "model_quantized.onnx") == find(folder)[1:]
    monkeypatch.chdir(folder / "onnx")
    [found] = find(Path("model.onnx"))
    assert found == Model(Path("model.onnx"), "onnxruntime-web", {"disabled_optimizers": ["A"]}, "fp32", 40)


def test_another_file_in_an_exported_folder_is_its_own(folder: Path) -> None:
    (folder / "onnx" / "other.onnx").write_bytes(b"other")
    assert find(folder / "onnx" / "other.onnx") == [
        Model(folder / "onnx" / "other.onnx", "onnxruntime", {}, None, 5),
    ]


@pytest.mark.parametrize("beside", ["_data", ".data"])
def test_a_files_weights_beside_it_count(tmp_path: Path, beside: str) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / f"model.onnx{beside}").write_bytes(b"weights")
    assert find(tmp_path / "model.onnx") == [Model(tmp_path / "model.onnx", "onnxruntime", {}, None, 12)]


def test_ort_files_and_checkpoints_have_their_targets(tmp_path: Path) -> None:
    (tmp_path / "model.ort").write_bytes(b"ort")
    (tmp_path / "model.ort.required_operators.config").write_bytes(b"a list")
    assert find(tmp_path / "model.ort") == [Model(tmp_path / "model.ort", "onnxruntime-mobile", {}, None, 3)]
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert find(tmp_path) == [Model(tmp_path, "pytorch", {}, "fp32", 7)]


def test_what_is_no_model_is_told_with_what_is_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"nothing\.onnx: there is no such file or folder\.$"):
        find(tmp_path / "nothing.onnx")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=r"no model that can be timed\. Give an exported folder .* \.ort file\.$"):
            find(path)


@pytest.mark.parametrize("told", ["{}", "[]", '{"target": "onnxruntime", "files": [{"file": "a.onnx"}]}', "nothing"])
def test_a_description_that_no_export_wrote_is_told(tmp_path: Path, told: str) -> None:
    (tmp_path / "export.json").write_text(told)
    with pytest.raises(InputError, match=r"export\.json:.* (not JSON: |Export the model again\.)"):
        find(tmp_path)
