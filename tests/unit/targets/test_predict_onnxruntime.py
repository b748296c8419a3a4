"""The script that goes out with a model must answer as the program does."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import graphs
import numpy
import pytest
import tiny

from compress.config import settings
from compress.data.batches import encode, feeds
from compress.data.sources import Rows
from compress.targets import Session
from compress.targets.onnxruntime import onnxruntime

LABELS = ["no", "perhaps", "yes"]
TEXTS = ["turn on the light", "a dull film, not good", "great " * 30 + "light off", "", "movie"]
PAIRS = ["the film", "bad " * 20, "very good movie " * 9, "light", ""]


def exported(folder: Path, *, truncation: str, pair: bool) -> Session:
    onnxruntime.build(graphs.graph(), "fp32", folder / "onnx" / "model.onnx")
    tiny.tokenizer(folder)
    facts = {
        "labels": LABELS,
        "max_length": 12,
        "truncation": truncation,
        "pair": pair,
        "inputs": ["input_ids", "attention_mask", "token_type_ids"],
        "file": "onnx/model.onnx",
    }
    (folder / "preprocess.json").write_text(json.dumps(facts))
    shutil.copy(onnxruntime.predict, folder / "predict.py")
    return onnxruntime.open(folder / "onnx" / "model.onnx", {}, threads=1)


def run(folder: Path, *arguments: str, given: str = "") -> list[list[str]]:
    command = [sys.executable, str(folder / "predict.py"), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, cwd=folder.parent)
    assert done.stderr == ""
    return [line.split("\t") for line in done.stdout.splitlines()]


def task(truncation: str, pair: bool) -> settings.Task:
    return settings.Task(
        type="text-pair-classification" if pair else "text-classification",
        data=settings.Data(train="train.tsv", validation="dev.tsv"),
        text_pair="other" if pair else None,
        max_length=12,
        truncation=truncation,
    )


@pytest.mark.parametrize("pair", [False, True], ids=["text", "pair"])
@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
def test_it_answers_as_the_session_on_rows_of_the_program(truncation: str, pair: bool, tmp_path: Path) -> None:
    session = exported(tmp_path / "out", truncation=truncation, pair=pair)
    rows = Rows(TEXTS, PAIRS if pair else None, [0] * len(TEXTS))
    encoded = encode(rows, tiny.tokenizer(tmp_path / "other"), task(truncation, pair))
    expected = []
    for _, batch in feeds(encoded, 1, order="given"):
        odds = numpy.exp(session(batch)[0].astype(float))
        expected.append((LABELS[odds.argmax()], odds.max() / odds.sum()))
    lines = [f"{text}\t{other}" if pair else text for text, other in zip(TEXTS, PAIRS, strict=True)]
    found = run(tmp_path / "out", given="\n".join(lines) + "\n")
    assert [label for label, _ in found] == [label for label, _ in expected]
    assert [float(share) for _, share in found] == pytest.approx([share for _, share in expected], abs=6e-5)


def test_texts_may_be_arguments_and_another_model_may_be_chosen(tmp_path: Path) -> None:
    exported(tmp_path / "out", truncation="head", pair=False)
    (tmp_path / "out" / "onnx" / "model.onnx").rename(tmp_path / "out" / "onnx" / "other.onnx")
    found = run(tmp_path / "out", "--model", "onnx/other.onnx", *TEXTS[:2])
    assert [len(line) for line in found] == [2, 2]
    assert {label for label, _ in found} <= set(LABELS)


def test_it_needs_nothing_of_this_program() -> None:
    found = ast.walk(ast.parse(onnxruntime.predict.read_text()))
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in found
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert modules - sys.stdlib_module_names == {"numpy", "onnxruntime", "tokenizers"}
