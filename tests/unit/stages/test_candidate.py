"""Every model that is measured has a name of its own, and lower precisions know the plain one."""

import json
from pathlib import Path

import project
import pytest

from compress.config.pipeline import load
from compress.files import DESCRIPTION
from compress.run.steps import steps
from compress.stages.candidate import Candidate, candidates


@pytest.mark.parametrize("first", ["pytorch", "onnxruntime"])
def test_every_candidate_has_a_name_of_its_own(first: str, tmp_path: Path) -> None:
    exports = [
        {"target": target, "precision": "fp32"} for target in sorted(("pytorch", "onnxruntime"), key=first.__ne__)
    ]
    path = project.write(tmp_path)
    step = next(step for step in steps(load(path, [f"export={json.dumps(exports)}"])) if step.name == "measure")
    folders = {name: tmp_path / name for name in step.inputs["exports"]}
    for name, folder in folders.items():
        file = {"precision": "fp32", "recipe": None, "file": "x", "settings": {}, "size_bytes": 1, "asked": True}
        folder.mkdir(parents=True)
        (folder / DESCRIPTION).write_text(
            json.dumps({"target": name.split("/")[2], "parameters": 1, "files": [file]}), encoding="utf-8"
        )
    (tmp_path / "model.safetensors").write_bytes(b"")
    found = [candidate.id for candidate in candidates(tmp_path, folders)]
    assert found[0] == "teacher pytorch-fp32"
    assert len(found) == len(set(found)) == 6


@pytest.mark.parametrize(
    ("target", "precision", "beside"),
    [
        ("onnxruntime", "int8", "onnxruntime-fp32"),
        ("onnxruntime", "fp32", None),
        ("tensorrt-rtx", "int8", "tensorrt-rtx-fp16"),
        ("tensorrt-rtx", "fp16", None),
        ("tensorrt-rtx", "fp32", None),
    ],
)
def test_only_lower_precisions_are_compared_with_the_plain_one(target: str, precision: str, beside: str | None) -> None:
    candidate = Candidate("tiny", target, precision, None, Path(), {}, {}, Path())
    assert candidate.plain == beside
