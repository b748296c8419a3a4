"""The script that goes out with a model must answer as the program does."""

import ast
import io
import json
import runpy
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import graphs
import numpy
import pytest
import tiny
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from compress.config import settings
from compress.data.batches import encode, feeds
from compress.data.sources import Rows
from compress.targets import Extent
from compress.targets.onnxruntime import onnxruntime

LABELS = ["no", "perhaps", "yes"]
TEXT, PAIR = ["great " * 30 + "light off"], ["great " * 30 + "light off", "bad " * 20 + "movie"]
SIDES = ["head", "tail", "head+tail"]
WORDS = st.lists(st.sampled_from([*tiny.WORDS, "unheard", "[SEP]", "x"]), max_size=20).map(" ".join)


def task(truncation: str, texts: int, max_length: int = 12) -> settings.Task:
    return settings.Task(
        type="text-pair-classification" if texts == 2 else "text-classification",
        data=settings.Data(train="train.tsv", validation="dev.tsv"),
        text_pair="other" if texts == 2 else None,
        max_length=max_length,
        truncation=truncation,
    )


def rows(texts: list[str]) -> Rows:
    return Rows(texts[:1], texts[1:] or None, [0])


def write(folder: Path, truncation: str, texts: int, max_length: int = 12, types: bool = True, batch: int = 4) -> None:
    facts = {
        "labels": LABELS,
        "max_length": max_length,
        "truncation": truncation,
        "texts": texts,
        "inputs": ["input_ids", "attention_mask", "token_type_ids"][: 3 if types else 2],
        "file": "onnx/model.onnx",
        "settings": {"disabled_optimizers": ["SkipLayerNormFusion"]},
        "batch": batch,
    }
    (folder / "preprocess.json").write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder but for its `preprocess.json`."""
    made = tmp_path_factory.mktemp("out")
    onnxruntime.build(graphs.graph(), "fp32", made / "onnx" / "model.onnx", extent=Extent(1, 8), options={})
    tiny.tokenizer(made)
    shutil.copy(onnxruntime.predict, made / "predict.py")
    return made


def run(folder: Path, *texts: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "predict.py"), *texts]
    return subprocess.run(command, input=lines, capture_output=True, encoding="utf-8", check=False, cwd=folder.parent)


@pytest.mark.parametrize("texts", [TEXT, PAIR, [""], ["", "on"]], ids=["text", "pair", "empty", "half empty"])
def test_it_answers_as_the_session_on_a_row_of_the_program(texts: list[str], folder: Path, tmp_path: Path) -> None:
    write(folder, "head+tail", len(texts))
    session = onnxruntime.open(folder / "onnx" / "model.onnx", {}, threads=1)
    encoded = encode(rows(texts), tiny.tokenizer(tmp_path), task("head+tail", len(texts)))
    [(_, feed)] = feeds(encoded, 1)
    odds = numpy.exp(session(feed)[0].astype(float))
    done = run(folder, *texts)
    assert (done.returncode, done.stderr) == (0, "")
    label, probability = done.stdout.removesuffix("\n").split("\t")
    assert label == LABELS[odds.argmax()]
    assert float(probability) == pytest.approx(odds.max() / odds.sum(), abs=6e-5)


LINES = ["light off", "", "great " * 30 + "light off", "a\tfilm", "bad", "light off", "good", "film", "off", "not bad"]


@pytest.mark.parametrize("texts", [1, 2])
def test_lines_are_answered_in_their_order_as_each_by_itself(texts: int, folder: Path, tmp_path: Path) -> None:
    write(folder, "tail", texts)
    tiny.tokenizer(folder)
    given = [(line.expandtabs() if texts == 2 else line, other) for line, other in pairwise(LINES)]
    together = Rows(
        [line for line, _ in given], [other for _, other in given] if texts == 2 else None, [0] * len(given)
    )
    session = onnxruntime.open(folder / "onnx" / "model.onnx", {}, threads=1)
    encoded = encode(together, tiny.tokenizer(tmp_path), task("tail", texts))
    logits = numpy.concatenate([session(feed) for _, feed in feeds(encoded, 1, order="given")])
    done = run(folder, lines="".join("\t".join(row[:texts]) + "\r\n" for row in given))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert [label for label, _ in answers] == [LABELS[label] for label in logits.argmax(-1)]
    odds = numpy.exp(logits.astype(float))
    expected = odds.max(-1) / odds.sum(-1)
    assert [float(probability) for _, probability in answers] == pytest.approx(expected.tolist(), abs=6e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_rows_of_one_length_are_asked_together_without_padding(
    batch: int, folder: Path, tokenizers: dict[str, PreTrainedTokenizerFast], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizers["bert"].backend_tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, "head", 1, batch=batch)
    monkeypatch.setattr("onnxruntime.InferenceSession", Recorder)
    monkeypatch.setattr("sys.argv", ["predict.py"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(LINES).encode())))
    Recorder.calls.clear()
    runpy.run_path(str(folder / "predict.py"))
    masks = [feeds["attention_mask"] for feeds in Recorder.calls]
    assert all(mask.all() for mask in masks)
    tokens = [len(ids) for ids in tokenizers["bert"](LINES, max_length=12, truncation=True)["input_ids"]]
    assert sorted(mask.shape[1] for mask in masks for _ in mask) == sorted(tokens)
    assert max(len(mask) for mask in masks) == batch
    assert len(masks) == sum(-(-tokens.count(length) // batch) for length in set(tokens))


class Recorder:
    """Stands for the runtime's session: keeps what it is asked."""

    feeds: dict[str, numpy.ndarray]
    calls: ClassVar[list[dict[str, numpy.ndarray]]] = []

    def __init__(self, *_args: object, **_settings: object) -> None:
        pass

    def run(self, _outputs: list[str], feeds: dict[str, numpy.ndarray]) -> list[numpy.ndarray]:
        Recorder.feeds = feeds
        Recorder.calls.append(feeds)
        return [numpy.zeros((len(feeds["input_ids"]), 3), numpy.float32)]


@pytest.fixture(scope="module")
def tokenizers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreTrainedTokenizerFast]:
    roberta = tiny.tokenizer(tmp_path_factory.mktemp("roberta"))
    roberta.backend_tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    return {"bert": tiny.tokenizer(folder), "roberta": roberta}


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("truncation", SIDES)
@given(texts=st.lists(WORDS, min_size=1, max_size=2), limit=st.integers(5, 30))
@hypothesis_settings(deadline=None)
def test_it_cuts_as_training_does(
    kind: str,
    truncation: str,
    texts: list[str],
    limit: int,
    folder: Path,
    tokenizers: dict[str, PreTrainedTokenizerFast],
) -> None:
    tokenizer = tokenizers[kind]
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, truncation, len(texts), limit, types=kind == "bert")
    encoded = encode(rows(texts), tokenizer, task(truncation, len(texts), limit), token_types=kind == "bert")
    [(_, expected)] = feeds(encoded, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onnxruntime.InferenceSession", Recorder)
        patch.setattr("sys.argv", ["predict.py", *texts])
        runpy.run_path(str(folder / "predict.py"))
    assert {name: value.tolist() for name, value in Recorder.feeds.items()} == {
        name: value.tolist() for name, value in expected.items()
    }
    assert {value.dtype for value in Recorder.feeds.values()} == {numpy.dtype(numpy.int64)}


@pytest.mark.parametrize(("needed", "offered"), [(1, []), (1, PAIR), (2, TEXT)])
def test_another_number_of_texts_is_refused(needed: int, offered: list[str], folder: Path) -> None:
    write(folder, "head", needed)
    done = run(folder, *offered)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"Give {needed} text(s) in quotes, or lines of {needed} with tabs between them.\n",
    )


def test_it_has_some_thirty_lines_of_code_and_needs_nothing_of_this_program() -> None:
    text = onnxruntime.predict.read_text()
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert modules - sys.stdlib_module_names == {"numpy", "onnxruntime", "tokenizers"}
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) <= 32


@pytest.mark.parametrize("script", sorted(onnxruntime.predict.parent.glob("_predict_*.py")), ids=lambda path: path.stem)
def test_other_engines_scripts_are_the_same_but_for_the_engine(script: Path) -> None:
    def shared(text: str) -> list[str]:
        parts = (
            ("# Answers", "import numpy"),
            ("\nhere,", "session"),
            ("for length", "stack("),
            ("\nfor row in", None),
        )
        begun = [(text.index(start), end) for start, end in parts]
        return [text[start : text.index(end, start) if end else None] for start, end in begun]

    made, own = script.read_text(), onnxruntime.predict.read_text()
    assert shared(made)[1:] == shared(own)[1:]
    assert shared(made)[0].startswith(shared(own)[0])
