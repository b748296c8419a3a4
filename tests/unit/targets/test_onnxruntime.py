from pathlib import Path

import graphs
import onnxruntime as engine
import pytest

from compress.targets import Extent
from compress.targets.onnxruntime import onnxruntime


def test_files_lie_where_the_hub_and_transformers_js_look_for_them() -> None:
    assert onnxruntime.file_name("fp32", None) == "onnx/model.onnx"
    assert onnxruntime.file_name("fp16", "fp16") == "onnx/model_fp16.onnx"
    assert onnxruntime.file_name("int8", "dynamic") == "onnx/model_quantized.onnx"
    assert onnxruntime.file_name("int8", "static_qdq") == "onnx/model_static_qdq.onnx"


def test_every_recipe_for_integers_may_be_asked_for() -> None:
    assert {"dynamic", "static_qdq"} <= onnxruntime.recipes
    assert "fp16" not in onnxruntime.recipes


def test_a_missing_engine_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.targets._engine.find_spec", lambda name: None if name == "onnxruntime" else name)
    assert onnxruntime.unavailable() == "not installed: onnxruntime. Run `pip install onnxruntime`."
    monkeypatch.undo()
    assert onnxruntime.unavailable() is None


def test_the_session_takes_the_threads_and_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    real = engine.InferenceSession

    def spy(path: str, options: engine.SessionOptions, **more: object) -> engine.InferenceSession:
        seen.update(more, intra=options.intra_op_num_threads, inter=options.inter_op_num_threads)
        return real(path, options, **more)

    monkeypatch.setattr(engine, "InferenceSession", spy)
    onnxruntime.build(graphs.graph(), "fp32", tmp_path / "model.onnx", extent=Extent(1, 8), options={})
    onnxruntime.open(tmp_path / "model.onnx", onnxruntime.tunings[0], threads=2).close()
    assert seen == {
        "providers": ["CPUExecutionProvider"],
        "disabled_optimizers": ["SkipLayerNormFusion"],
        "intra": 2,
        "inter": 1,
    }
