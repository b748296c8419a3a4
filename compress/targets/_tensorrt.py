"""What TensorRT and TensorRT-RTX share up to the engine file: is there a GPU, how it is built, is the file whole."""

from __future__ import annotations

import ctypes
import hashlib
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from compress.errors import InputError, NotAvailable, Problem
from compress.files import write_bytes
from compress.targets import Extent, Option

OPTIONS: Mapping[str, Option] = {"typical_batch": 0, "typical_tokens": 0}
"""The call that an engine is tuned for, of all that it takes; 0: the largest batch, rows of half the largest length."""

DEVICES = Path("/dev")
_NODES = ("nvidia[0-9]*", "nvhost-gpu", "nvgpu", "dxg")
"""What Linux has there for an NVIDIA card, for the GPU of a Jetson (two ways) and for the one that WSL borrows."""

Configure = Callable[[Any], None]
"""Sets in a builder's config what only one of the two engines knows."""


def gpu_missing() -> str | None:
    """Why there is no GPU to use, if so. Asks the system and not CUDA, after whose start a process could not be forked."""
    driver = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(driver)
    except OSError:
        return f"no NVIDIA driver ({driver}) is installed."
    if sys.platform == "linux" and not any(found for node in _NODES for found in DEVICES.glob(node)):
        return f"an NVIDIA driver is installed, but {DEVICES} has no GPU."
    return None


def cuda_missing() -> str | None:
    """Why engines cannot be run through PyTorch, if so: it holds their buffers, streams and CUDA graphs."""
    found = find_spec("torch")
    facts = Path(found.origin).with_name("version.py") if found is not None and found.origin else None
    text = facts.read_text(encoding="utf-8") if facts is not None and facts.is_file() else ""
    if re.search(r"^cuda\b.*=\s*['\"]", text, flags=re.MULTILINE):
        return None
    return "PyTorch, by which engines are run, is installed without CUDA. Install one of its CUDA builds (pytorch.org)."


def plan(
    trt: Any,
    graph: Path,
    extent: Extent,
    options: Mapping[str, Option],
    configure: Configure,
    *,
    integers: bool,
) -> bytes:
    """The engine of a graph, for calls of 1 x 1 up to the extent.

    `trt` is the module of TensorRT or of TensorRT-RTX. Types are as the graph has them: the network is strongly typed.
    A graph with `integers` gets FP16 around them first, whatever its recipe left there.
    Raises: InputError with what the engine says of a graph that it cannot build
    """
    batch, tokens = (cast("int", options.get(name, 0)) for name in OPTIONS)
    typical = Extent(batch or extent.batch, tokens or -(-extent.tokens // 2))
    with tempfile.TemporaryDirectory() as folder:
        read = graph
        if integers:
            from compress.encoders.graph import read_graph, write_graph
            from compress.targets._tensorrt_graph import mixed

            read = Path(folder, graph.name)
            write_graph(mixed(read_graph(graph)), read)
        made = _serialized(trt, read, typical, extent, configure)
    if isinstance(made, str):
        raise InputError(f"{graph}: {trt.__name__} cannot build it: {made}")
    return made


def _serialized(trt: Any, graph: Path, typical: Extent, extent: Extent, configure: Configure) -> bytes | str:
    """The engine of a graph, or what is wrong with the graph."""
    log = logger(trt)
    builder = started(trt.Builder, log, trt.__name__)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(graph)):
        return _first([parser.get_error(index).desc() for index in range(parser.num_errors)] or log.errors)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # else products of fp32 numbers would have ten bits of mantissa
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        profile.set_shape(network.get_input(index).name, (1, 1), tuple(typical), tuple(extent))
    config.add_optimization_profile(profile)
    configure(config)
    made = builder.build_serialized_network(network, config)
    return _first(log.errors) if made is None else bytes(made)


def misfits(options: Mapping[str, Option], extent: Extent) -> dict[str, str]:
    """What is wrong with the values of `OPTIONS`, by their names."""
    asked = {name: cast("int", options.get(name, 0)) for name in OPTIONS}
    return {
        name: f"{value} is not within the largest call. Give 1 to {largest}, or 0."
        for (name, value), largest in zip(asked.items(), extent, strict=True)
        if not 0 <= value <= largest
    }


def check(found: Mapping[str, str]) -> None:
    """Raises: InputError with what is wrong with options, if anything is"""
    if found:
        raise InputError([Problem(f"options.{name}", what) for name, what in found.items()])


def keep(plan: bytes, out: Path) -> dict[str, Any]:
    """Write an engine, whole or not at all; returns its `size_bytes` and `sha256`, for `content`."""
    write_bytes(out, plan)
    return {"size_bytes": len(plan), "sha256": hashlib.sha256(plan).hexdigest()}


def content(file: Path, settings: Mapping[str, Any]) -> bytes:
    """An engine's bytes, as they were built; engines notice damage in their header alone.

    Raises: InputError if the file cannot be read or has other content
    """
    try:
        plan = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}.") from error
    if settings.get("sha256") not in (None, hashlib.sha256(plan).hexdigest()):
        raise InputError(
            f"{file}: is not the engine that was built: its {len(plan)} bytes are cut off or changed "
            f"({settings['size_bytes']} were written). Copy it anew, or build it again."
        )
    return plan


def logger(trt: Any) -> Any:
    """A logger that shows nothing and keeps the `errors`, a list of texts."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)

    return Log()


def started(kind: Callable[[Any], Any], log: Any, name: str) -> Any:
    """A builder or a runtime.

    Raises: NotAvailable if CUDA cannot be started, which the engine's binding tells as a TypeError
    """
    try:
        return kind(log)
    except TypeError as error:
        raise NotAvailable(f"{name} cannot start here: {_first(log.errors) or 'CUDA does not.'}") from error


def _first(said: list[str]) -> str:
    """The first of an engine's complaints, from which the others follow, on one line."""
    return " ".join(said[0].split()) if said else ""
