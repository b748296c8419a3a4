"""ONNX Runtime on the processor of a PC or a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.targets import Session
from compress.targets._onnxruntime import ReadsGraphs, load

if TYPE_CHECKING:
    from collections.abc import Mapping


class OnnxRuntime(ReadsGraphs):
    """Files are named as `ORTModel…` and transformers.js look for them: `onnx/model.onnx`, `onnx/model_quantized.onnx`."""

    precisions: Mapping[str, str | None] = {"fp32": None, "fp16": "fp16", "int8": "dynamic", "int4": "weight_only"}
    # SkipLayerNormalization is one kernel for two operators; on most processors it is slower than both (5-18 % of the model).
    tunings: tuple[Mapping[str, Any], ...] = ({"disabled_optimizers": ["SkipLayerNormFusion"]}, {})
    predict = Path(__file__).with_name("_predict_onnxruntime.py")

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a graph for the CPU provider."""
        return load(file, settings, threads)


onnxruntime = OnnxRuntime()
