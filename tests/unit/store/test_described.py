"""What an exported folder says of itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from compress.errors import InputError
from compress.store.described import read_export, read_preprocess

FILE: dict[str, Any] = {"file": "onnx/model.onnx", "settings": {}, "batch": 1, "precision": "fp32", "recipe": None}
FILE |= {"asked": True, "size_bytes": 9, "parity": None}
EXPORT = {"target": "onnxruntime", "parameters": 9, "files": [FILE]}
FACTS = {"labels": ["a"], "max_length": 8, "truncation": "tail", "texts": 1, "inputs": ["input_ids"], "file": "m.onnx"}
FACTS |= {"settings": {}, "batch": 1}


def written(folder: Path, name: str, value: object) -> Path:
    (folder / name).write_text(json.dumps(value))
    return folder


def test_what_an_export_writes_is_read_with_further_keys(tmp_path: Path) -> None:
    assert read_export(written(tmp_path, "export.json", EXPORT)) == EXPORT
    assert read_preprocess(written(tmp_path, "preprocess.json", FACTS | {"more": 1})) == FACTS | {"more": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "nowhere"}, r"export\.json: target: no such target `nowhere`"),
        ({"files": []}, r"export\.json: files: "),
        ({"files": [FILE | {"batch": 0}]}, r"export\.json: files\.0\.batch: "),
        ({"files": [FILE | {"size_bytes": "9"}]}, r"export\.json: files\.0\.size_bytes: "),
        ({"files": [FILE, FILE | {"file": "../x.onnx"}]}, r"export\.json: files\.1\.file: '\.\./x\.onnx' is no name"),
        ({"files": [FILE | {"file": "a\\b"}]}, r"files\.0\.file: .* is no name of a file"),
        ({"files": [FILE | {"file": "./a"}]}, r"files\.0\.file: .* is no name of a file"),
    ],
)
def test_what_no_export_writes_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_export(written(tmp_path, "export.json", EXPORT | changes))


@pytest.mark.parametrize("key", sorted(FACTS))
def test_every_key_of_the_preprocessing_is_needed(key: str, tmp_path: Path) -> None:
    facts = {name: value for name, value in FACTS.items() if name != key}
    with pytest.raises(InputError, match=rf"preprocess\.json: {key}: Field required"):
        read_preprocess(written(tmp_path, "preprocess.json", facts))
