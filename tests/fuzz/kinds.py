"""The kinds of files that are harmed: each kind writes a good project, harms one file of it, and says what to run."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import project
import pyarrow
import sample
from pyarrow import parquet

from compress.store import artifact, seal
from compress.store.artifact import MANIFEST, Manifest
from fuzz import corpus
from fuzz.harness import Case
from fuzz.mutations import TOKENS, changed, flipped, spoiled, spoiled_json

Kind = Callable[[Random, Path], Case]
"""Fills an empty folder; gives the command to be run and the places that an error may name."""

_STEP = "export/tiny/onnxruntime"
_CORPUS_SHARE = 0.04
"""How many cases put a file of the corpus in the place of a harmed one."""


def pipeline(random: Random, folder: Path) -> Case:
    """A pipeline file with faults."""
    path = project.write(folder)
    about = _harm(random, path, spoiled)
    return Case([_command(random), str(path)], ("pipeline.yaml", ".tsv"), about)


def card(random: Random, folder: Path) -> Case:
    """The card of a teacher or of a student."""
    path = project.write(folder)
    harmed = folder / random.choice(("teachers/own.yaml", "students/one-layer.yaml", "students/thin.yaml"))
    about = _harm(random, harmed, spoiled)
    return Case([_command(random), str(path)], (harmed.name, "pipeline.yaml"), about)


def assignment(random: Random, folder: Path) -> Case:
    """`--set` with keys and values of all kinds."""
    path = project.write(folder)
    keys = ("name", "task", "task.max_length", "students.small.prune", "students", "export.0", "export.9", "", "a..b")
    given = f"{random.choice(keys)}{random.choice(('=', '=', '=', '', ' = '))}{random.choice(TOKENS)}"
    return Case([_command(random), str(path), "--set", given], ("--set", "pipeline.yaml"), given)


def data(random: Random, folder: Path) -> Case:
    """A file of rows, in each of the formats, with and without a header."""
    path = project.write(folder)
    suffix = random.choice(("tsv", "csv", "jsonl", "parquet", "txt"))
    split = "unlabelled" if suffix == "txt" else random.choice(("train", "dev", "test"))
    harmed = folder / f"{split}.{suffix}"
    text = path.read_text(encoding="utf-8")
    if split == "unlabelled":
        text = text.replace("test: test.tsv}", "test: test.tsv, unlabelled: unlabelled.txt}")
    text = text.replace(f"{split}.tsv", harmed.name)
    harmed.write_bytes(_rows(suffix))
    header = suffix not in ("tsv", "csv") or random.random() < 0.7
    columns = ", ".join(project.rows(1).splitlines()[0].split("\t"))
    if not header and split == "train":  # the other files keep their headers, which is a mistake too
        text = text.replace("test: test.tsv}", f"test: test.tsv, columns: [{columns}]}}")
    path.write_text(text, encoding="utf-8")
    about = _harm(random, harmed, flipped if suffix == "parquet" and random.random() < 0.7 else spoiled)
    return Case(["check", str(path)], (harmed.name, "dev.tsv", "test.tsv"), about)


def answers(random: Random, folder: Path) -> Case:
    """A file of a teacher's answers."""
    path = project.write(folder)
    suffix = random.choice(("jsonl", "jsonl", "parquet"))
    text = path.read_text(encoding="utf-8") + f"teachers:\n  api: {{predictions: answers.{suffix}}}\n"
    path.write_text(text, encoding="utf-8")
    harmed = folder / f"answers.{suffix}"
    kinds = [{"logits": [1.5, -0.25]}, {"probabilities": {"light": 0.25, "music": 0.75}}]
    rows = [{"row": row, **kinds[0 if suffix == "parquet" else row % 2]} for row in range(64)]
    if suffix == "jsonl":
        harmed.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    else:
        harmed.write_bytes(_parquet(rows))
    about = _harm(random, harmed, _line_of_json if suffix == "jsonl" else flipped)
    return Case(["check", str(path)], (harmed.name,), about)


def report(random: Random, folder: Path) -> Case:
    """A report that is shown, rendered or judged."""
    harmed = folder / "report.json"
    harmed.write_bytes(_report())
    about = _harm(random, harmed, spoiled_json)
    shown = (["gate"], ["report"], ["report", "--format", "markdown"], ["report", "--out", str(folder / "x.md")])
    command, *options = random.choice(shown)
    return Case([command, str(harmed), *options], (harmed.name,), about)


def baseline(random: Random, folder: Path) -> Case:
    """A baseline, named at the command line or in the pipeline."""
    harmed = folder / "base.json"
    harmed.write_bytes(_report())
    about = _harm(random, harmed, spoiled_json)
    if random.random() < 0.3:
        path = project.write(folder)
        path.write_text(path.read_text(encoding="utf-8") + "  baseline: base.json\n", encoding="utf-8")
        return Case(["check", str(path)], ("base.json", "baseline"), about)
    (folder / "report.json").write_bytes(_report())
    return Case(["gate", str(folder / "report.json"), "--baseline", str(harmed)], ("base.json",), about)


def export(random: Random, folder: Path) -> Case:
    """An exported folder that is bundled. Most harm is sealed by a manifest that fits it."""
    run = folder / "run"
    made = run / _STEP
    for name, content in _exported().items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    harmed = random.choice([made / name for name in ("export.json", "preprocess.json", "predict.py", MANIFEST)])
    harmed = run / "report" / "report.json" if random.random() < 0.15 else harmed
    sealed = harmed.parent == made and harmed.name != MANIFEST and random.random() < 0.8
    way = spoiled_json if harmed.suffix == ".json" else spoiled
    about = _harm(random, harmed, way) if sealed else ""
    _seal(made, _STEP, {})
    _seal(run / "measure", "measure", {f"input.{_STEP}": _digest(made)})
    (run / "report").mkdir()
    (run / "report" / "report.json").write_bytes(_report())
    _seal(run / "report", "report", {"input.measure": _digest(run / "measure")})
    about = about if sealed else _harm(random, harmed, way)
    options = random.choice(([], [], ["--triton"], ["--precision", "int8"], ["--license", "mit"]))
    return Case(["bundle", str(made), *options], (harmed.name, _STEP, "--precision"), about)


def opened(random: Random, folder: Path) -> Case:
    """A model that is timed: an exported folder, a graph, a checkpoint."""
    quick = ["--batch", "1", "--sequence", "8", "--rounds", "3"]
    way = random.choice(("folder", "graph", "graph", "config", "weights"))
    if way in ("folder", "graph"):
        path = folder / "model.onnx"
        path.write_bytes(_graph())
        if way == "graph":
            about = _harm(random, path, flipped)
            return Case(["bench", str(path), *quick], (path.name,), about)
        harmed = folder / "export.json"
        file = {"file": "model.onnx", "precision": "fp32", "settings": {}, "size_bytes": 9, "batch": 1}
        file |= {"recipe": None, "asked": True}
        harmed.write_text(json.dumps({"target": "onnxruntime", "parameters": 9, "files": [file]}), encoding="utf-8")
        about = _harm(random, harmed, spoiled_json)
        return Case(["bench", str(folder), *quick], (harmed.name, "model.onnx", folder.name), about)
    for name, content in _checkpoint().items():
        (folder / name).write_bytes(content)
    harmed = folder / ("config.json" if way == "config" else "model.safetensors")
    about = _harm(random, harmed, spoiled_json if way == "config" else flipped)
    return Case(["bench", str(folder), *quick], (harmed.name, folder.name), about)


def started(random: Random, folder: Path) -> Case:
    """A pipeline whose teacher has weights in a folder whose files are harmed."""
    path = project.write(folder)
    text = path.read_text(encoding="utf-8").replace("  use: own\n", "  use: own\n  model: {folder: own}\n")
    path.write_text(text, encoding="utf-8")
    (folder / "own").mkdir()
    for name, content in _checkpoint().items():
        (folder / "own" / name).write_bytes(content)
    harmed = folder / "own" / random.choice(("config.json", "config.json", "tokenizer.json", "model.safetensors"))
    about = _harm(random, harmed, spoiled_json if harmed.suffix == ".json" else flipped)
    students = (str(card) for card in (folder / "students").glob("*.yaml"))  # where they do not fit what its files say
    return Case([_command(random), str(path)], (harmed.name, str(harmed.parent), "pipeline.yaml", *students), about)


KINDS: Mapping[str, Kind] = {
    "pipeline": pipeline,
    "card": card,
    "assignment": assignment,
    "data": data,
    "answers": answers,
    "report": report,
    "baseline": baseline,
    "export": export,
    "opened": opened,
    "started": started,
}


def _command(random: Random) -> str:
    return random.choice(("check", "check", "plan"))


def _harm(random: Random, path: Path, way: Callable[[Random, bytes], bytes]) -> str:
    """Harm a file in place; gives what was done."""
    if random.random() < _CORPUS_SHARE:
        name = random.choice(corpus.NAMES)
        corpus.place(name, path)
        return f"{path.name}: {name}"
    path.write_bytes(way(random, path.read_bytes()))
    return f"{path.name}: {way.__name__}"


def _line_of_json(random: Random, content: bytes) -> bytes:
    """A JSON lines file with other values in one of its lines, or with faults in its text."""
    lines = content.splitlines()
    if random.random() < 0.4:
        return spoiled(random, content)
    place = random.randrange(len(lines))
    lines[place] = json.dumps(changed(random, json.loads(lines[place]))).encode()
    return b"\n".join(lines) + b"\n"


@cache
def _rows(suffix: str) -> bytes:
    lines = [line.split("\t") for line in project.rows(40).splitlines()]
    if suffix == "txt":
        return "".join(f"{text}\n" for _, text, *_ in lines[1:]).encode()
    if suffix in ("tsv", "csv"):
        return "".join(f"{('	' if suffix == 'tsv' else ',').join(line)}\n" for line in lines).encode()
    records = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    return _parquet(records) if suffix == "parquet" else "".join(f"{json.dumps(row)}\n" for row in records).encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


@cache
def _exported() -> dict[str, bytes]:
    """The files of an export of two precisions."""
    files = [
        {
            **{"precision": precision, "quantization": None, "recipe": None, "asked": True, "settings": {}, "batch": 1},
            **{"file": f"onnx/{name}.onnx", "size_bytes": 100},
        }
        for precision, name in (("fp32", "model"), ("int8", "model_quantized"))
    ]
    facts = {"labels": ["a", "b"], "max_length": 12, "truncation": "tail", "texts": 1, "inputs": ["input_ids"]}
    facts |= {key: files[1][key] for key in ("file", "settings", "batch")}
    described = {"target": "onnxruntime", "parameters": 9, "files": files}
    values = {"export.json": described, "preprocess.json": facts, "config.json": {"model_type": "bert"}}
    return {
        **{name: json.dumps(value).encode() for name, value in values.items()},
        **{"onnx/model.onnx": b"graph", "onnx/model_quantized.onnx": b"graph", "tokenizer.json": b"{}"},
        "predict.py": b"import json, numpy\nfrom onnxruntime import InferenceSession\n",
    }


def _seal(folder: Path, step: str, parts: dict[str, str]) -> None:
    """Write the manifest of a folder as it is."""
    folder.mkdir(exist_ok=True)
    files = seal.facts(folder, seal.below(folder))
    seal.write(folder / MANIFEST, asdict(Manifest(step, "mark", parts, files, 0.0)))


def _digest(folder: Path) -> str:
    made = artifact.read(folder)
    assert made is not None
    return made.manifest.digest


@cache
def _report() -> bytes:
    return json.dumps(sample.record(rows=50).model_dump(mode="json")).encode()


@cache
def _checkpoint() -> dict[str, bytes]:
    import tempfile

    import tiny

    from compress.encoders import checkpoint

    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(tiny.model(), Path(folder))
        tiny.tokenizer(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@cache
def _graph() -> bytes:
    """A graph of one table: its first inputs are those of an encoder, and opening it takes a millisecond."""
    from onnx import TensorProto, helper

    table = helper.make_tensor("table", TensorProto.FLOAT, [100, 2], [0.5] * 200)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["states"]),
        helper.make_node("ReduceMean", ["states"], ["logits"], axes=[1], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
    graph = helper.make_graph(nodes, "table", inputs, outputs, [table])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
