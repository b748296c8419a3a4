"""TensorRT for RTX: engines for the GPUs of PCs and workstations, built on machines that need no GPU."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from compress.errors import CompressError, InputError, UnknownName
from compress.targets import Extent, Option, Session, _tensorrt

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST_FP8 = "8.9"
"""The first compute capability with products of FP8."""

_REASONS = {
    "VERSION_MISMATCH": "another version of TensorRT-RTX built it",
    "UNSUPPORTED_CC": "it was not built for this GPU's compute capability",
    "OLD_CUDA_DRIVER": "the GPU's driver is too old",
    "OLD_CUDA_RUNTIME": "the CUDA runtime is too old",
    "INSUFFICIENT_GPU_MEMORY": "the GPU has too little memory",
    "MALFORMED_ENGINE": "it is no engine of TensorRT-RTX",
    "CUDA_ERROR": "CUDA fails here",
}


class TensorRtRtx:
    """An engine holds the weights and a plan; kernels are compiled for the very GPU when it is first run there."""

    reads: Literal["graph"] = "graph"
    precisions: Mapping[str, str | None] = {
        "fp16": "fp16",
        "fp32": None,
        "bf16": "bf16",
        "int8": "weight_only",
        "int4": "weight_only",
        "fp8": "fp8",
    }
    recipes: frozenset[str] = frozenset({"symmetric_qdq"})
    """Its graphs are built; whether products of two integers are computed as such, NVIDIA's tables of RTX do not say."""
    options: Mapping[str, Option] = {**_tensorrt.OPTIONS, "compute_capabilities": ()}
    """`compute_capabilities`, such as `["8.9", "12.0"]`, makes an engine for these only; () is one for all GPUs since
    Ampere, in FP8 for all that have it."""
    bounded = True
    reproducible = False  # it numbers a few inner names by where they lie in memory; all else is the same
    tunings: tuple[Mapping[str, Any], ...] = ({"cuda_graphs": True}, {"cuda_graphs": False})
    packages = ("onnx", "onnxscript", "tensorrt-rtx")
    predict = None

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """A typical call beyond the largest one; what is no compute capability at all."""
        found = _tensorrt.misfits(options, extent)
        named = cast("tuple[str, ...]", options.get("compute_capabilities", ()))
        strange = [name for name in named if not re.fullmatch(r"\d+\.\d", name)]
        if strange:
            found["compute_capabilities"] = f"no compute capability: {', '.join(strange)}. They are such as `8.9`."
        return found

    def unavailable(self) -> str | None:
        """Why TensorRT-RTX cannot be used here, if so."""
        if find_spec("tensorrt_rtx") is None:
            return "not installed: tensorrt-rtx. Run `pip install tensorrt-rtx` (Linux and Windows on x86-64)."
        return None

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Why engines cannot run here, if so: without a GPU they can only be built."""
        return _tensorrt.gpu_missing() or _tensorrt.cuda_missing()

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`model_int8.engine`; another recipe than the precision's own stands behind it."""
        suffix = "" if recipe == self.precisions[precision] else f"_{recipe}"
        return f"tensorrt-rtx/model_{precision}{suffix}.engine"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Write an engine for calls of 1 x 1 up to the extent, for all GPUs since Ampere or those that are named.

        What is around integers is FP16, whatever the recipe left it as.
        Raises: InputError if an option does not fit, or with what TensorRT-RTX says of a graph that it cannot build
        """
        import tensorrt_rtx as trt

        _tensorrt.check(self.misfits(options, extent))
        known = _capabilities(trt)
        named = cast("tuple[str, ...]", options.get("compute_capabilities", ()))
        if precision == "fp8" and not named:
            named = tuple(name for name in known if _number(name) >= _number(_LEAST_FP8))
        for name in named:
            if name not in known:
                raise UnknownName("compute capability", name, known, "options.compute_capabilities")

        def configure(config: Any) -> None:
            config.num_compute_capabilities = len(named)  # none: portable
            for index, name in enumerate(named):
                config.set_compute_capability(known[name], index)

        integers = precision in ("int8", "int4")
        plan = _tensorrt.plan(trt, source, extent, options, configure, integers=integers)
        runtime = _tensorrt.started(trt.Runtime, _tensorrt.logger(trt), trt.__name__)
        if "MALFORMED_ENGINE" in _faults(trt, runtime, plan):
            raise CompressError(f"{source}: TensorRT-RTX made an engine that it does not take for one.")
        return _tensorrt.keep(plan, out)

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load an engine onto the current GPU; threads are of no use to it.

        Raises: InputError if the file is damaged or not for this GPU; NotAvailable if CUDA cannot be started
        """
        import tensorrt_rtx as trt

        from compress.targets._tensorrt_session import EngineSession

        plan = _tensorrt.content(file, settings)
        log = _tensorrt.logger(trt)
        runtime = _tensorrt.started(trt.Runtime, log, trt.__name__)
        faults = _faults(trt, runtime, plan)
        engine = None if faults else runtime.deserialize_cuda_engine(plan)
        if engine is None:
            said = "; ".join(_REASONS[fault] for fault in faults) or " ".join(log.errors[:1])
            raise InputError(f"{file}: TensorRT-RTX cannot load it: {said}.")
        graphs = settings.get("cuda_graphs", True)
        strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE if graphs else trt.CudaGraphStrategy.DISABLED

        def context() -> Any:
            config = engine.create_runtime_config()
            config.cuda_graph_strategy = strategy  # its own capture, which knows when a shape's kernels are compiled
            return engine.create_execution_context(config)

        return EngineSession(trt, engine, context, graphs=False)


def _capabilities(trt: Any) -> dict[str, Any]:
    """The compute capabilities that engines can be made for, by names such as `8.9`."""
    members = trt.ComputeCapability.__members__
    return {f"{name[2:-1]}.{name[-1]}": member for name, member in members.items() if name.startswith("SM")}


def _number(capability: str) -> tuple[int, ...]:
    return tuple(map(int, capability.split(".")))


def _faults(trt: Any, runtime: Any, plan: bytes) -> list[str]:
    """What is wrong with an engine here, as far as its header tells: keys of the reasons above."""
    _, found = runtime.get_engine_validity(plan[: runtime.engine_header_size])
    members = trt.EngineInvalidityDiagnostics.__members__
    return [name for name, flag in members.items() if int(found) & int(flag)]


tensorrt_rtx = TensorRtRtx()
