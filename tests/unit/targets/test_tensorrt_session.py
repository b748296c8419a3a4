"""The session on a GPU that is not there: memory of the host, and an engine that asks ONNX Runtime."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import graphs
import numpy
import onnxruntime
import pytest
import torch

from compress.errors import CompressError, InputError
from compress.targets import _tensorrt_session
from compress.targets._tensorrt_session import EngineSession

TRT = SimpleNamespace(
    TensorIOMode=SimpleNamespace(INPUT="input", OUTPUT="output"),
    DataType=SimpleNamespace(INT64="int64", INT32="int32", FLOAT="float"),
)
MOST = (4, 16)


class Context:
    """Answers from the addresses it is given, for the shape that was set last."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.addresses: dict[str, int] = {}
        self.shape: tuple[int, int] = (0, 0)
        self.device_memory: int | None = None

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, int]) -> bool:
        self.shape = shape
        return self.engine.takes

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 7
        rows, tokens = self.shape
        feeds = {
            name: numpy.array((ctypes.c_int64 * (rows * tokens)).from_address(self.addresses[name])).reshape(self.shape)
            for name in self.engine.inputs
        }
        answers = self.engine.session.run(["logits"], feeds)[0]
        ctypes.memmove(self.addresses["logits"], answers.tobytes(), answers.nbytes)
        self.engine.log.append(("run", self.shape))
        return self.engine.works


class Engine:
    """The `bert` graph as TensorRT shows an engine."""

    inputs = ("input_ids", "attention_mask", "token_type_ids")
    num_io_tensors = 4
    device_memory_size_v2 = 1024

    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(str(graphs.graph()), providers=["CPUExecutionProvider"])
        self.log: list[object] = []
        self.contexts: list[Context] = []
        self.takes = self.works = True

    def get_tensor_name(self, index: int) -> str:
        return ("logits", *self.inputs)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "output" if name == "logits" else "input"

    def get_tensor_dtype(self, name: str) -> str:
        return "float" if name == "logits" else "int64"

    def get_tensor_shape(self, name: str) -> tuple[int, int]:
        assert name == "logits"
        return (-1, 3)

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, int]]:
        assert profile == 0
        return [(1, 1), (4, 8), MOST]

    def context(self) -> Context:
        self.contexts.append(Context(self))
        return self.contexts[-1]


class Host:
    """What stands for CUDA: everything happens at once, on the host."""

    def __init__(self, log: list[object]) -> None:
        self.log = log

    def pinned(self, count: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(count, dtype=dtype)

    device = pinned

    def stream(self) -> SimpleNamespace:
        return SimpleNamespace(cuda_stream=7, synchronize=lambda: self.log.append("synchronize"))

    def event(self) -> SimpleNamespace:
        return SimpleNamespace(record=lambda stream: None, synchronize=lambda: None, elapsed_time=lambda other: 1.5)

    @contextlib.contextmanager
    def current(self, stream: object) -> Iterator[None]:
        yield

    def capture(self, stream: object, work: Callable[[], None]) -> Callable[[], None]:
        self.log.append("capture")
        return work


def opened(graphs_too: bool) -> tuple[Engine, EngineSession]:
    engine = Engine()
    return engine, EngineSession(TRT, engine, engine.context, graphs=graphs_too, cuda=Host(engine.log))


@pytest.mark.parametrize("captures", [True, False])
def test_it_answers_calls_of_any_shape_within_the_engine(captures: bool) -> None:
    _, session = opened(captures)
    for rows, tokens in ((3, 8), (1, 1), MOST, (3, 8)):
        batch = graphs.feeds(rows=rows, length=tokens, seed=rows)
        answers = session({**batch, "labels": numpy.zeros(rows, numpy.int64)})
        numpy.testing.assert_array_equal(answers, graphs.answers(graphs.graph(), batch))
    assert session.gpu_ms == 1.5


def test_answers_are_not_overwritten_by_the_next_call() -> None:
    _, session = opened(True)
    first = session(graphs.feeds(seed=1))
    kept = first.copy()
    session(graphs.feeds(seed=2))
    numpy.testing.assert_array_equal(first, kept)


def test_each_shape_is_captured_once_in_a_context_of_its_own_after_a_run() -> None:
    engine, session = opened(True)
    small, large = graphs.feeds(rows=1, length=4), graphs.feeds(rows=2, length=6)
    for batch in (small, large, small, large):
        session(batch)
    runs = [entry for entry in engine.log if entry != "synchronize"]
    first = [("run", (1, 4)), "capture", ("run", (1, 4)), ("run", (2, 6)), "capture", ("run", (2, 6))]
    assert runs == [*first, ("run", (1, 4)), ("run", (2, 6))]
    assert len(engine.contexts) == 2
    assert len({context.device_memory for context in engine.contexts}) == 1
    assert engine.log.index("synchronize") < engine.log.index("capture")


def test_without_graphs_one_context_with_memory_of_its_own_runs_every_call() -> None:
    engine, session = opened(False)
    for length in (4, 6, 4):
        session(graphs.feeds(rows=1, length=length))
    assert [context.device_memory for context in engine.contexts] == [None]
    assert "capture" not in engine.log


def test_only_the_shapes_called_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tensorrt_session, "_GRAPHS", 2)
    engine, session = opened(True)
    for length in (4, 5, 4, 6, 4, 5):
        session(graphs.feeds(rows=1, length=length))
    assert engine.log.count("capture") == 4  # 4, 5, 6, and 5 anew
    numpy.testing.assert_array_equal(
        session(graphs.feeds(rows=1, length=4)), graphs.answers(graphs.graph(), graphs.feeds(rows=1, length=4))
    )


@pytest.mark.parametrize(("rows", "tokens"), [(5, 8), (1, 17)])
def test_a_call_beyond_the_engine_is_refused(rows: int, tokens: int) -> None:
    _, session = opened(True)
    with pytest.raises(InputError, match=f"a call of {rows} x {tokens} tokens is larger than .* 4 x 16"):
        session(graphs.feeds(rows=rows, length=tokens))


@pytest.mark.parametrize("captures", [True, False])
def test_what_the_engine_refuses_is_an_error_and_never_an_old_answer(captures: bool) -> None:
    engine, session = opened(captures)
    session(graphs.feeds(rows=1, length=4))
    engine.works = False
    with pytest.raises(CompressError, match="failed to answer"):
        session(graphs.feeds(rows=1, length=5))
    engine.works, engine.takes = True, False
    with pytest.raises(CompressError, match="failed to answer"):
        session(graphs.feeds(rows=1, length=6))


def test_too_little_memory_is_said() -> None:
    engine = Engine()
    with pytest.raises(CompressError, match="too little memory"):
        EngineSession(TRT, engine, lambda: None, graphs=False, cuda=Host(engine.log))


def test_the_memory_is_named_otherwise_in_the_first_tensorrt_10(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Engine, "device_memory_size_v2")
    monkeypatch.setattr(Engine, "device_memory_size", 2048, raising=False)
    engine, session = opened(True)
    session(graphs.feeds())
    assert engine.contexts[0].device_memory is not None


def test_a_closed_session_answers_no_more() -> None:
    _, session = opened(True)
    session(graphs.feeds())
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session(graphs.feeds())
