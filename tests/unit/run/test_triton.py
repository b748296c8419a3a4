"""The folder of a model in a Triton model repository."""

from pathlib import Path

import pytest

from compress.errors import InputError
from compress.run import triton

PREPROCESS = {"labels": ["no", "yes\nindeed"], "inputs": ["input_ids", "attention_mask"], "batch": 8}

CONFIG = """\
name: "demo-tiny-fp16"
platform: "tensorrt_plan"
default_model_filename: "model_fp16.engine"
max_batch_size: 8
input [
  { name: "input_ids" data_type: TYPE_INT64 dims: [ -1 ] },
  { name: "attention_mask" data_type: TYPE_INT64 dims: [ -1 ] }
]
output [
  { name: "logits" data_type: TYPE_FP32 dims: [ 2 ] label_filename: "labels.txt" }
]
dynamic_batching { }
"""


def test_a_model_gets_a_folder_with_its_config_and_labels(tmp_path: Path) -> None:
    place = triton.write(tmp_path, "tensorrt", triton.Serving("demo-tiny-fp16", "model_fp16.engine", PREPROCESS))
    assert place == tmp_path / "demo-tiny-fp16" / "1"
    assert place.is_dir()
    assert (place.parent / "config.pbtxt").read_text() == CONFIG
    assert (place.parent / "labels.txt").read_text() == "no\nyes indeed\n"


def test_onnx_files_run_on_the_processor_and_rows_that_hang_on_each_other_one_at_a_time() -> None:
    text = triton.config("onnxruntime", triton.Serving("a", "model_quantized.onnx", {**PREPROCESS, "batch": 1}))
    assert 'platform: "onnxruntime_onnx"' in text
    assert "instance_group [ { count: 1 kind: KIND_CPU } ]" in text
    assert "max_batch_size: 1\n" in text
    assert "dynamic_batching" not in text
    assert text.endswith("# No dynamic batching: each row is answered by itself, as it was measured.\n")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("tensorrt-rtx", "export to `tensorrt`, on the GPU that will serve it"),
        ("onnxruntime-web", "those of `onnxruntime`"),
        ("pytorch", "What is served: exports to onnxruntime and tensorrt"),
    ],
)
def test_what_triton_does_not_serve_is_refused_with_the_reason(target: str, told: str) -> None:
    with pytest.raises(InputError, match=f"does not serve what `{target}` builds.*{told}"):
        triton.check(target)
    triton.check("onnxruntime")
