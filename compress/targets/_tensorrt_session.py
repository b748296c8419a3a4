"""An engine of TensorRT or TensorRT-RTX that answers on the GPU."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from compress.errors import CompressError, InputError
from compress.targets import Feeds

_GRAPHS = 64
"""Captured shapes that a session keeps, those that were called last."""

Shape = tuple[int, int]


class Cuda(Protocol):
    """What a session needs of CUDA."""

    def pinned(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        """Memory of the host that the GPU copies from and to by itself."""

    def device(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        """Memory of the GPU."""

    def stream(self) -> Any:
        """A queue of work with a `cuda_stream`, its address, and `synchronize`."""

    def event(self) -> Any:
        """A mark in a queue, with `record`, `synchronize` and `elapsed_time`."""

    def current(self, stream: Any) -> Any:
        """A context in which copies go to the stream."""

    def capture(self, stream: Any, work: Callable[[], None]) -> Callable[[], None]:
        """Record the work as a CUDA graph; what is returned runs it on the stream."""


class PyTorchCuda:
    """CUDA by way of PyTorch, on the current device: this program needs PyTorch anyway, and it has all that is wanted."""

    def pinned(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(count, dtype=dtype, pin_memory=True)

    def device(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(count, dtype=dtype, device="cuda")

    def stream(self) -> Any:
        return torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def event(self) -> Any:
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]

    def current(self, stream: Any) -> Any:
        return torch.cuda.stream(stream)

    def capture(self, stream: Any, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # Only this thread's calls are part of it: others may allocate memory meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            work()
        replay: Callable[[], None] = graph.replay
        return replay


class _Captured(NamedTuple):
    context: Any
    """Its own: what it does to answer is part of the graph, and another shape would change that."""
    replay: Callable[[], None]


class EngineSession:
    """Copies a call into pinned buffers, from there to the GPU, runs the engine and copies the logits back.

    With `graphs`, the engine's work on a shape is captured as a CUDA graph when that shape comes up, and replayed from
    then on. `context` makes an execution context; where graphs are captured, one that is given its memory, since all
    share one block of it.
    """

    def __init__(
        self, trt: Any, engine: Any, context: Callable[[], Any], *, graphs: bool, cuda: Cuda | None = None
    ) -> None:
        self._cuda = PyTorchCuda() if cuda is None else cuda
        self._engine, self._new = engine, context
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        self._inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._most = tuple(engine.get_tensor_profile_shape(self._inputs[0], 0)[2])
        self._labels = int(tuple(engine.get_tensor_shape("logits"))[-1])
        kinds = {trt.DataType.INT64: torch.int64, trt.DataType.INT32: torch.int32, trt.DataType.FLOAT: torch.float32}
        counts = {**dict.fromkeys(self._inputs, self._most[0] * self._most[1]), "logits": self._most[0] * self._labels}
        types = {name: kinds[engine.get_tensor_dtype(name)] for name in counts}
        self._host = {name: self._cuda.pinned(count, types[name]) for name, count in counts.items()}
        self._device = {name: self._cuda.device(count, types[name]) for name, count in counts.items()}
        self._stream, self._begun, self._done = self._cuda.stream(), self._cuda.event(), self._cuda.event()
        self._captured: OrderedDict[Shape, _Captured] = OrderedDict()
        self._shared = self._cuda.device(_memory_bytes(engine), torch.uint8) if graphs else None
        self._context = None if graphs else self._bound()

    def __call__(self, feeds: Feeds) -> NDArray[np.float32]:
        if self._engine is None:
            raise RuntimeError("the session is closed")
        rows, tokens = shape = feeds[self._inputs[0]].shape
        if rows > self._most[0] or tokens > self._most[1]:
            raise InputError(
                f"a call of {rows} x {tokens} tokens is larger than the engine takes, which is {self._most[0]} x "
                f"{self._most[1]}. Build it for larger calls (`max_batch`, `task.max_length`)."
            )
        for name in self._inputs:
            np.copyto(self._host[name].numpy()[: rows * tokens].reshape(shape), feeds[name], casting="same_kind")
        answers = slice(0, rows * self._labels)
        with self._cuda.current(self._stream):
            self._begun.record(self._stream)
            for name in self._inputs:
                self._device[name][: rows * tokens].copy_(self._host[name][: rows * tokens], non_blocking=True)
            self._run((rows, tokens))
            self._host["logits"][answers].copy_(self._device["logits"][answers], non_blocking=True)
            self._done.record(self._stream)
        self._done.synchronize()
        logits: NDArray[np.float32] = self._host["logits"].numpy()[answers].reshape(rows, self._labels).copy()
        return logits

    @property
    def gpu_ms(self) -> float:
        """How long the last call took on the GPU, copies to and from it included, in milliseconds."""
        return float(self._begun.elapsed_time(self._done))

    def close(self) -> None:
        self._stream.synchronize()
        self._captured.clear()
        self._context = self._engine = self._shared = None
        self._host, self._device = {}, {}

    def _run(self, shape: Shape) -> None:
        """Answer what is in the GPU's buffers."""
        if self._context is not None:
            self._enqueue(self._context, shape)
            return
        if shape not in self._captured:
            context = self._bound()
            self._enqueue(context, shape)  # what a new shape sets up must not become part of the graph
            self._stream.synchronize()
            replay = self._cuda.capture(self._stream, lambda: self._enqueue(context, None))
            self._captured[shape] = _Captured(context, replay)
            if len(self._captured) > _GRAPHS:
                self._captured.popitem(last=False)
        self._captured.move_to_end(shape)
        self._captured[shape].replay()

    def _bound(self) -> Any:
        """A new execution context that reads and writes the buffers."""
        context = self._new()
        if context is None:
            raise CompressError("the engine cannot be run: there is too little memory on the GPU.")
        if self._shared is not None:
            context.device_memory = self._shared.data_ptr()
        for name, buffer in self._device.items():
            context.set_tensor_address(name, buffer.data_ptr())
        return context

    def _enqueue(self, context: Any, shape: Shape | None) -> None:
        """Have the GPU answer, for a new shape or the one it answered last."""
        fits = shape is None or all(context.set_input_shape(name, shape) for name in self._inputs)
        if not fits or not context.execute_async_v3(self._stream.cuda_stream):
            raise CompressError(f"the engine failed to answer a call of {shape or 'the same shape'}.")


def _memory_bytes(engine: Any) -> int:
    """The memory for a context's inner values, which TensorRT 10.0 calls otherwise."""
    return int(engine.device_memory_size_v2 if hasattr(engine, "device_memory_size_v2") else engine.device_memory_size)
