"""A whole run of a family whose head reads the last token, so that rows are padded on the left."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import project
import pytest
import spelling
import torch
from transformers import AutoTokenizer

from compress.cli.main import code
from compress.encoders import checkpoint
from compress.files import DESCRIPTION, read_json

TEACHER = """\
name: own
title: a tiny XLNet
source: none
license: MIT
language: en
family: xlnet
model: {folder: ../pretrained}
architecture: {layers: 2, hidden: 32, heads: 4, intermediate: 64}
train: {epochs: 8, learning_rate: 3e-3, batch_size: 16}
"""

PIPELINE = project.PIPELINE.replace(
    project.PIPELINE[project.PIPELINE.index("students:") :],
    """\
students:
  same:
    use: one-layer
    distill:
      losses: {soft_label: 1, hidden_state: 1, cosine: 1, embedding: 1, pkd: 1, rkd: 1}
      cache: {budget_gb: 1}
      epochs: 4
      learning_rate: 1e-3
export:
  - {target: onnxruntime, precision: [fp32, int8]}
measure: {batch: 2, sequence: [8], rounds: 3}
""",
).replace("max_length: 16", "max_length: 40")


def written(folder: Path) -> Path:
    path = project.write(folder)
    path.write_text(PIPELINE)
    (folder / "teachers" / "own.yaml").write_text(TEACHER)
    tokenizer = spelling.tokenizer("xlnet")
    checkpoint.save(spelling.model("xlnet", len(tokenizer)), folder / "pretrained")
    tokenizer.save_pretrained(folder / "pretrained")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("left")
    assert code(["run", str(written(folder)), "--until", "export"]) == 0
    return folder / "runs" / "demo"


def texts() -> tuple[list[str], list[str]]:
    rows = [line.split("\t") for line in project.rows(40, 88).splitlines()[1:]]
    return [text for _, text, _ in rows], [label for label, _, _ in rows]


@pytest.mark.parametrize("made", ["teacher", "distill/same"])
def test_the_models_learn_and_transformers_reads_them_as_they_are(made: str, finished: Path) -> None:
    folder, (asked, labels) = finished / made, texts()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), checkpoint.load(folder)
    with torch.no_grad():
        answers = model(**tokenizer(asked, padding=True, return_tensors="pt")).logits.argmax(-1)
    found = [model.config.id2label[int(answer)] for answer in answers]
    assert sum(one == other for one, other in zip(found, labels, strict=True)) >= 36


def test_the_exported_files_answer_as_the_models(finished: Path) -> None:
    export = finished / "export" / "same" / "onnxruntime"
    parity = {file["precision"]: file["parity"] for file in read_json(export / DESCRIPTION)["files"]}
    assert parity["fp32"]["agreement"] == 1
    assert parity["fp32"]["max_abs"] < 1e-4
    assert parity["int8"]["agreement"] >= 0.9
    asked, _ = texts()
    batch = AutoTokenizer.from_pretrained(export)(asked, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = checkpoint.load(finished / "distill" / "same")(**batch).logits.numpy()
    session = onnxruntime.InferenceSession(export / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    answers = session.run(
        ["logits"], {name: batch[name].numpy() for name in ("input_ids", "attention_mask", "token_type_ids")}
    )
    np.testing.assert_allclose(answers[0], expected, atol=1e-4)
    (text, *_), (label, *_) = texts()
    told = subprocess.run(
        [sys.executable, export / "predict.py", text], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith(f"{label}\t")
    assert read_json(export / "preprocess.json")["inputs"] == ["input_ids", "attention_mask", "token_type_ids"]
