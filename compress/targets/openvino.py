"""OpenVINO on the processor: Intel's runtime, with the fastest INT8 and the only bf16 there; runs on ARM too."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compress.errors import InputError
from compress.files import flush
from compress.registry import RECIPES
from compress.targets import Extent, Feeds, Option, Session
from compress.targets._engine import missing, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_FLOATS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What is not an integer is computed in. Left to itself, the runtime takes bf16 wherever the processor has it."""


_SETTINGS = frozenset({"INFERENCE_PRECISION_HINT", "NUM_STREAMS", "PERFORMANCE_HINT"})


class OpenVino:
    """IR files, named as `OVModel…` looks for them: `openvino/openvino_model.xml`, its weights beside it in `.bin`."""

    reads: Literal["graph"] = "graph"
    precisions: Mapping[str, str | None] = {"fp32": None, "bf16": None, "int8": "nncf"}
    options: Mapping[str, Option] = {}
    bounded = False
    reproducible = True
    tunings: tuple[Mapping[str, Any], ...] = ({},)
    packages = ("onnx", "onnxscript", "openvino")
    predict = Path(__file__).with_name("_predict_openvino.py")

    @property
    def recipes(self) -> frozenset[str]:
        """Those of fixed scales: for scales found while running there is no kernel, and floats are the target's own affair."""
        return frozenset(RECIPES.names()) - {"bf16", "dynamic", "fp16", "fp8", "mixed", "smooth_dynamic"}

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """Nothing: there are no options."""
        return {}

    def unavailable(self) -> str | None:
        """Why OpenVINO cannot be used here, if so."""
        return missing("openvino", "onnx")

    def unrunnable(self, precision: str | None = None) -> str | None:
        """That the processor has no bf16, if that is asked for: it would be computed in fp32, or slower than that."""
        if precision != "bf16":
            return None
        import openvino as engine

        known = engine.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" in known:
            return None
        return "this processor has no bf16 instructions (AVX512_BF16 or AMX). Run it on one that has, or take fp32 or int8."

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`openvino/openvino_model.xml` for fp32, `…_bf16`, `…_quantized` for the default INT8, else the recipe's name."""
        kind = "quantized" if recipe == "nncf" else recipe or precision
        return f"openvino/openvino_model{'' if kind == 'fp32' else f'_{kind}'}.xml"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Convert the graph. For bf16 its weights are stored in 16 bits, which costs nothing that bf16 would keep."""
        import openvino as engine

        try:
            model = engine.Core().read_model(source)
        except Exception as error:  # the engine's errors share no class, and tell first where in its sources they are
            raise InputError(f"{source}: OpenVINO cannot read the graph: {refusal(error, -1)}") from error
        for index, node in enumerate(model.get_ordered_ops()):
            kind = node.get_type_name()
            if re.fullmatch(rf"{kind}_\d+", node.get_friendly_name()):  # counted on through all of a process's models
                node.set_friendly_name(f"{kind}_{index}")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            made = Path(folder, out.name)
            engine.save_model(model, made, compress_to_fp16=precision == "bf16")
            out.unlink(missing_ok=True)
            # The weights first: a graph without its own must never be seen.
            for part in (made.with_suffix(".bin"), made):
                part.chmod(0o644)
                flush(part)
                part.replace(out.with_name(part.name))
        return {"INFERENCE_PRECISION_HINT": _FLOATS[precision], "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Compile a model for the processor.

        Its threads are not bound to cores: they keep to those that the process may use.
        """
        import openvino as engine

        if strange := sorted(set(settings) - _SETTINGS):  # a folder from elsewhere might name where to write a cache
            raise InputError(f"{file}: settings that no build writes: {', '.join(strange)}. Export the model again.")
        config = {"ENABLE_CPU_PINNING": False, "INFERENCE_NUM_THREADS": threads, **settings}
        try:
            compiled = engine.Core().compile_model(file, "CPU", config)
        except Exception as error:  # the engine's errors share no class
            raise InputError(f"{file}: OpenVINO cannot load it: {refusal(error, -1)}") from error
        return _Session(compiled)


class _Session:
    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._inputs = [value.any_name for value in compiled.inputs]

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        answers = self._compiled({name: feeds[name] for name in self._inputs}, share_inputs=True, share_outputs=True)
        logits: NDArray[np.float32] = answers["logits"].copy()
        return logits

    def close(self) -> None:
        self._compiled = None


openvino = OpenVino()
