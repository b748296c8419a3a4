"""ONNX Runtime on the processor: PCs, servers, browsers (by transformers.js) and phones read the same files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import InputError
from compress.registry import RECIPES
from compress.targets import Feeds, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class OnnxRuntime:
    """Files are named as `ORTModel…` and transformers.js look for them: `onnx/model.onnx`, `onnx/model_quantized.onnx`."""

    reads: Literal["graph"] = "graph"
    precisions: Mapping[str, str | None] = {"fp32": None, "fp16": "fp16", "int8": "dynamic"}
    packages = ("onnx", "onnxruntime", "onnxscript")
    predict = Path(__file__).with_name("_predict_onnxruntime.py")

    @property
    def recipes(self) -> frozenset[str]:
        """Every one that makes integers: the runtime reads all of ONNX."""
        return frozenset(RECIPES.names()) - {"fp16"}

    def unavailable(self) -> str | None:
        """Why ONNX Runtime cannot be used here, if so."""
        missing = [name for name in ("onnxruntime", "onnx") if find_spec(name) is None]
        return f"not installed: {' '.join(missing)}. Run `pip install {' '.join(missing)}`." if missing else None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`onnx/model.onnx` for fp32, `model_quantized` for the default INT8, else the recipe behind `model_`."""
        suffix = "_quantized" if recipe == "dynamic" else f"_{recipe}" if recipe else ""
        return f"onnx/model{suffix}.onnx"

    def build(self, source: Path, precision: str, out: Path) -> dict[str, Any]:
        """Copy the graph, which is all the runtime needs; nothing is done if it is `out` already."""
        from compress.encoders.graph import read_graph, write_graph

        if source.resolve() != out.resolve():
            write_graph(read_graph(source), out)
        # Its kernel is slower than the two it replaces (5-18 % of the whole model).
        return {"disabled_optimizers": ["SkipLayerNormFusion"]}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load a graph for the CPU provider.

        Threads don't spin between calls: they would slow down whatever is timed beside this session.
        """
        import onnxruntime as engine

        options = engine.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        disabled = list(settings.get("disabled_optimizers", ()))
        try:
            session = engine.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
            )
        except Exception as error:  # the engine's errors share no class
            raise InputError(f"{file}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        return _Session(session)


class _Session:
    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = [value.name for value in session.get_inputs()]

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        logits: NDArray[np.float32]
        (logits,) = self._session.run(["logits"], {name: feeds[name] for name in self._inputs})
        return logits

    def close(self) -> None:
        self._session = None


onnxruntime = OnnxRuntime()
