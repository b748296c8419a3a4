"""What the targets of ONNX Runtime share: they read graphs, and their sessions answer the same way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import InputError
from compress.registry import RECIPES
from compress.targets import Extent, Feeds, Option
from compress.targets._engine import missing, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class ReadsGraphs:
    """A target that is given an ONNX graph in fp32 or rewritten by a recipe, and takes calls of any size."""

    reads: Literal["graph"] = "graph"
    options: Mapping[str, Option] = {}
    bounded = False
    reproducible = True
    packages: tuple[str, ...] = ("onnx", "onnxruntime", "onnxscript")

    @property
    def recipes(self) -> frozenset[str]:
        """Every one that makes integers: the runtime reads all of ONNX, but computes in neither BF16 nor FP8."""
        return frozenset(RECIPES.names()) - {"fp16", "bf16", "fp8"}

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why ONNX Runtime cannot be used here, if so."""
        return missing("onnxruntime", "onnx")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Nothing: what is built runs here."""
        return None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`onnx/model.onnx` for fp32, `model_quantized` for the default INT8, else what `stem` says."""
        return f"onnx/{stem(precision, recipe)}.onnx"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Copy the graph, which is all the runtime needs; nothing is done if it is `out` already."""
        from compress.encoders.graph import read_graph, write_graph

        if source.resolve() != out.resolve():
            write_graph(read_graph(source), out)
        return {}


def stem(precision: str, recipe: str | None) -> str:
    """A file's name as `ORTModel…` and transformers.js look for it: `model`, `model_quantized`, `model_q4`, `model_fp16`.

    INT8 by another recipe than `dynamic` has the recipe's name behind `model_`.
    """
    known = {"fp32": "model", "int4": "model_q4"}
    return known.get(precision) or ("model_quantized" if recipe == "dynamic" else f"model_{recipe}")


INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_TYPES = {"tensor(int64)": "int64", "tensor(int32)": "int32"}


def load(file: Path, settings: Mapping[str, Any], threads: int) -> CpuSession:
    """A session of the CPU provider. Its threads don't spin between calls, to slow down nothing that is timed beside it.

    Raises: InputError if the file cannot be loaded, or takes what is no input of a text encoder.
    """
    import onnxruntime as engine

    options = engine.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it would log of an error, the exception says
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    disabled = list(settings.get("disabled_optimizers", ()))
    try:
        session = engine.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
        )
    except Exception as error:  # the engine's errors share no class
        raise InputError(f"{file}: ONNX Runtime cannot load it: {refusal(error)}") from error
    strange = [
        f"`{value.name}` ({value.type})"
        for value in session.get_inputs()
        if value.name not in INPUTS or value.type not in _TYPES
    ]
    if strange:
        raise InputError(f"{file}: takes {', '.join(strange)}; known are {', '.join(INPUTS)}, in int64 or int32.")
    return CpuSession(session)


class CpuSession:
    """Answers with an `InferenceSession`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._types = {value.name: _TYPES[value.type] for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        self._output = "logits" if "logits" in outputs else outputs[0]

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        """The logits of a batch; the first output of another maker's graph that names none so."""
        logits: NDArray[np.float32]
        inputs = {name: feeds[name].astype(type_, copy=False) for name, type_ in self._types.items()}
        (logits,) = self._session.run([self._output], inputs)
        return logits

    def close(self) -> None:
        """Free the model."""
        self._session = None
