"""The folder of a model in a repository of NVIDIA's Triton Inference Server."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compress.errors import InputError

LABELS = "labels.txt"

_PLATFORMS = {"onnxruntime": "onnxruntime_onnx", "tensorrt": "tensorrt_plan"}
_PROCESSOR = frozenset({"onnxruntime"})
"""The targets whose files are to run where they were measured: on the processor, though there may be a GPU."""

_INSTEAD = {
    "onnxruntime-web": "Its files are those of `onnxruntime`: bundle that export.",
    "tensorrt-rtx": "Its TensorRT backend loads no engine of TensorRT-RTX: export to `tensorrt`, on the GPU that will serve it.",
}


class Serving(NamedTuple):
    """One model file in the server."""

    name: str
    """The model's name there, and its folder's."""
    file: str
    """The file's name."""
    preprocess: Mapping[str, Any]
    """What `preprocess.json` says of how the file is run."""


def check(target: str) -> None:
    """See that Triton serves what a target builds.

    Raises: InputError if not
    """
    if target not in _PLATFORMS:
        served = " and ".join(_PLATFORMS)
        instead = _INSTEAD.get(target, f"What is served: exports to {served}.")
        raise InputError(f"--triton: Triton does not serve what `{target}` builds. {instead}")


def config(target: str, serving: Serving) -> str:
    """The `config.pbtxt` of a model: its inputs and output, and how requests may share a call.

    Triton joins only requests of one length, so that nothing is padded.
    """
    inputs = [_tensor(name, "TYPE_INT64", -1) for name in serving.preprocess["inputs"]]
    labels = f"label_filename: {json.dumps(LABELS)}"
    lines = [
        f"name: {json.dumps(serving.name)}",
        f"platform: {json.dumps(_PLATFORMS[target])}",
        f"default_model_filename: {json.dumps(serving.file)}",
        f"max_batch_size: {serving.preprocess['batch']}",
        *_block("input", inputs),
        *_block("output", [_tensor("logits", "TYPE_FP32", len(serving.preprocess["labels"]), labels)]),
    ]
    if target in _PROCESSOR:
        lines.append("instance_group [ { count: 1 kind: KIND_CPU } ]")
    if serving.preprocess["batch"] > 1:
        lines.append("dynamic_batching { }")
    else:
        lines.append("# No dynamic batching: each row is answered by itself, as it was measured.")
    return "\n".join(lines) + "\n"


def write(folder: Path, target: str, serving: Serving) -> Path:
    """Make the model's folder in a repository; gives the folder that the model file goes into."""
    place = folder / serving.name / "1"
    place.mkdir(parents=True)
    (folder / serving.name / "config.pbtxt").write_text(config(target, serving), encoding="utf-8", newline="\n")
    labels = "".join(f"{' '.join(label.splitlines())}\n" for label in serving.preprocess["labels"])
    (folder / serving.name / LABELS).write_text(labels, encoding="utf-8", newline="\n")
    return place


def _block(name: str, entries: Sequence[str]) -> list[str]:
    return [f"{name} [", ",\n".join(f"  {entry}" for entry in entries), "]"]


def _tensor(name: str, kind: str, size: int, more: str = "") -> str:
    return f"{{ name: {json.dumps(name)} data_type: {kind} dims: [ {size} ] {more}".rstrip() + " }"
