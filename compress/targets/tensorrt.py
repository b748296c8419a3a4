"""TensorRT: engines for NVIDIA's servers, workstations and Jetsons, built and timed on the GPU that will run them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from compress.errors import CompressError, InputError, NotAvailable
from compress.files import write_bytes
from compress.targets import Extent, Option, Session, _tensorrt

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST = {"bf16": (8, 0), "fp8": (8, 9)}
"""The compute capability that a precision needs."""


class TensorRt:
    """An engine is a plan of kernels that were the fastest on this GPU. TensorRT 10 and 11; networks are strongly typed."""

    reads: Literal["graph"] = "graph"
    precisions: Mapping[str, str | None] = {"fp16": "fp16", "bf16": "bf16", "int8": "symmetric_qdq", "fp8": "fp8"}
    options: Mapping[str, Option] = {
        **_tensorrt.OPTIONS,
        "version_compatible": False,
        "hardware_compatible": False,
        "optimization_level": 3,
        "timing_cache": "",
    }
    """`version_compatible`: later versions load it, too; a little slower. `hardware_compatible`: so does every GPU since
    Ampere; slower. `optimization_level`: 0 to 5, how long to search for fast kernels. `timing_cache`: the folder that keeps
    the kernels' times, by which a second build is faster and chooses the same ones; "" is one in the user's cache."""
    recipes: frozenset[str] = frozenset()
    """The other integer recipes' graphs have zero points, or operators of ONNX Runtime's own."""
    bounded = True
    reproducible = False  # which kernel is fastest is timed anew where the cache has no time for it
    tunings: tuple[Mapping[str, Any], ...] = ({"cuda_graphs": True}, {"cuda_graphs": False})
    packages = ("onnx", "onnxscript", "tensorrt")
    predict = None

    def misfits(self, options: Mapping[str, Option], extent: Extent) -> Mapping[str, str]:
        """A typical call beyond the largest one; a level that there is not."""
        found, level = _tensorrt.misfits(options, extent), cast("int", options.get("optimization_level", 3))
        return found if 0 <= level <= 5 else found | {"optimization_level": f"{level} is not one. Give 0 to 5."}

    def unavailable(self) -> str | None:
        """Why TensorRT cannot be used here, if so: it builds on a GPU only."""
        if find_spec("tensorrt") is None:
            return "not installed: tensorrt. Run `pip install tensorrt` on a machine with an NVIDIA GPU."
        missing = _tensorrt.gpu_missing()
        if missing is not None:
            return f"{missing} TensorRT builds on the GPU that will run the engine; `tensorrt-rtx` builds without one."
        return _tensorrt.cuda_missing()

    def unrunnable(self, precision: str | None = None) -> str | None:
        """Nothing: where it builds, it runs."""
        return None

    def file_name(self, precision: str, recipe: str | None) -> str:
        """`model_int8.engine`; another recipe than the precision's own stands behind it."""
        suffix = "" if recipe == self.precisions[precision] else f"_{recipe}"
        return f"tensorrt/model_{precision}{suffix}.engine"

    def build(
        self, source: Path, precision: str, out: Path, *, extent: Extent, options: Mapping[str, Option]
    ) -> dict[str, Any]:
        """Write an engine for calls of 1 x 1 up to the extent, of the kernels that are fastest here.

        Raises: InputError if an option does not fit or TensorRT cannot build the graph; NotAvailable if the GPU lacks the
        precision
        """
        import tensorrt as trt
        import torch

        _tensorrt.check(self.misfits(options, extent))
        here = torch.cuda.get_device_capability()
        if here < _LEAST.get(precision, (0, 0)):
            least = ".".join(map(str, _LEAST[precision]))
            raise NotAvailable(
                f"{precision} needs a GPU of compute capability {least} or higher; {torch.cuda.get_device_name()} has "
                f"{here[0]}.{here[1]}. Leave this precision out."
            )
        asked = {**self.options, **options}
        times = _timing_cache(str(asked["timing_cache"]), trt.__version__, torch.cuda.get_device_name())
        caches = []

        def configure(config: Any) -> None:
            config.builder_optimization_level = asked["optimization_level"]
            if asked["version_compatible"]:
                config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
            if asked["hardware_compatible"]:
                config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
            caches.append(_attached(config, times))

        plan = _tensorrt.plan(trt, source, extent, options, configure, integers=precision == "int8")
        write_bytes(times, bytes(caches[0].serialize()))
        return {**_tensorrt.keep(plan, out), "version_compatible": asked["version_compatible"]}

    def open(self, file: Path, settings: Mapping[str, Any], *, threads: int) -> Session:
        """Load an engine onto the current GPU; threads are of no use to it.

        Raises: InputError if the file is damaged or not for this GPU or version; NotAvailable if CUDA cannot be started
        """
        import tensorrt as trt

        from compress.targets._tensorrt_session import EngineSession

        plan = _tensorrt.content(file, settings)
        log = _tensorrt.logger(trt)
        runtime = _tensorrt.started(trt.Runtime, log, trt.__name__)
        # Such an engine brings the code that runs it. It is the one that was built: `content` compared it.
        runtime.engine_host_code_allowed = bool(settings.get("version_compatible")) and "sha256" in settings
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise InputError(f"{file}: TensorRT cannot load it: {' '.join(log.errors[:1])}")
        graphs = bool(settings.get("cuda_graphs", True))
        kinds = trt.ExecutionContextAllocationStrategy
        strategy = kinds.USER_MANAGED if graphs else kinds.STATIC
        return EngineSession(trt, engine, lambda: engine.create_execution_context(strategy), graphs=graphs)


def _timing_cache(folder: str, version: str, gpu: str) -> Path:
    """The file of kernel times for a version of TensorRT and a GPU; others' times do not fit."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = "".join(letter if letter.isalnum() or letter == "." else "-" for letter in f"{gpu} {version}")
    return (Path(folder) if folder else home / "compress" / "tensorrt") / f"{name}.timing"


def _attached(config: Any, file: Path) -> Any:
    """The cache of kernel times in use: what the file holds, a new one if there is none or it does not fit."""
    for content in (file.read_bytes() if file.is_file() else b"", b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    raise CompressError("TensorRT takes no timing cache.")


tensorrt = TensorRt()
