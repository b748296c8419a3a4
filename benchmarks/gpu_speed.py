"""BERT-large and the same with half of its heads and neurons on a GPU: PyTorch FP16, ONNX Runtime CUDA, TensorRT-RTX.

Weights are random, since they change no time. Each runtime answers batches of 1, 8 and 32 rows of 128 and 384 tokens, in
interleaved rounds; times are CUDA events around the call's work in its stream. TensorRT-RTX's hold the copies of ids and
logits, the others' inputs lie on the GPU. A runtime that is not here, or fails, says why; without a GPU nothing runs.

    pip install -e '.[rtx]' && pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130
    pip uninstall -y onnxruntime && pip install onnxruntime-gpu      # only for ONNX Runtime CUDA
    python benchmarks/gpu_speed.py
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from compress.bench import machine, timer
from compress.encoders import surgery
from compress.errors import NotAvailable
from compress.quantization import Material
from compress.registry import TARGETS
from compress.stages import build
from compress.targets import Export, Extent

MODELS = {"bert-large": 1.0, "bert-large, half": 0.5}
"""The share of heads and neurons that each layer keeps."""
SHAPES = tuple((batch, tokens) for tokens in (128, 384) for batch in (1, 8, 32))
EXTENT = Extent(batch=32, tokens=384)
REFERENCE = "bert-large, PyTorch FP16"

Feeds = Mapping[str, NDArray[np.int64]]
Call = Callable[[], float]
"""Answers once; gives the milliseconds that it took on the GPU."""
Opened = Callable[[Feeds], Call]
"""Makes the call that answers a batch."""


class Source(NamedTuple):
    """What the runtimes are given."""

    model: Any
    """In FP16, on the GPU."""
    graph: Path
    """In FP32."""
    folder: Path
    """For what is built."""


def check_gpu() -> None:
    """See that there is a GPU that PyTorch can use.

    Raises: NotAvailable if not
    """
    if torch.version.cuda is None:
        raise NotAvailable(
            f"PyTorch {torch.__version__} is built without CUDA. Install one of its CUDA builds (pytorch.org)."
        )
    if not torch.cuda.is_available():
        raise NotAvailable(
            f"PyTorch {torch.__version__} finds no GPU that it can use. Run this where `nvidia-smi` lists one."
        )


def bert(share: float, *, layers: int = 24, hidden: int = 1024) -> Any:
    """A BERT with random weights whose layers keep a share of their heads and neurons."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=hidden // 64, intermediate_size=4 * hidden
    )
    model = BertForSequenceClassification(config).eval()
    full = surgery.Masks.full(model)
    kept = [
        tuple(torch.arange(len(mask)) < share * len(mask) for mask in masks) for masks in (full.heads, full.neurons)
    ]
    return surgery.cut(model, surgery.Masks(*kept))


def batch_of(rows: int, tokens: int) -> Feeds:
    """A batch of random tokens without padding."""
    ids = np.random.default_rng(0).integers(1000, 30000, (rows, tokens))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def timed(stream: Any, work: Callable[[], object]) -> Call:
    """A call of work that goes to the stream."""
    begun, done = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def call() -> float:
        with torch.cuda.stream(stream), torch.inference_mode():
            begun.record(stream)
            work()
            done.record(stream)
        done.synchronize()
        return float(begun.elapsed_time(done))

    return call


def on_gpu(feeds: Feeds) -> dict[str, torch.Tensor]:
    """The same on the GPU."""
    return {name: torch.from_numpy(value).cuda() for name, value in feeds.items()}


def eager(source: Source) -> Opened:
    """PyTorch as it comes."""
    return lambda feeds: timed(torch.cuda.Stream(), partial(source.model, **on_gpu(feeds)))


def captured(source: Source) -> Opened:
    """PyTorch's kernels as one CUDA graph: nothing is launched from Python, which small batches otherwise wait for."""

    def call_of(feeds: Feeds) -> Call:
        stream, graph, answer = torch.cuda.Stream(), torch.cuda.CUDAGraph(), partial(source.model, **on_gpu(feeds))
        for _ in range(3):
            timed(stream, answer)()
        with torch.inference_mode(), torch.cuda.graph(graph, stream=stream):
            answer()

        def replay() -> object:
            graph.replay()
            return answer  # whose inputs the graph reads

        return timed(stream, replay)

    return call_of


def onnxruntime_cuda(source: Source) -> Opened:
    """ONNX Runtime's CUDA provider, in a stream of ours, its inputs and logits left on the GPU."""
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise NotAvailable("the installed ONNX Runtime has no CUDA provider. Install `onnxruntime-gpu` in its place.")
    stream = torch.cuda.Stream()
    file = built(source, "onnxruntime").file
    provider = ("CUDAExecutionProvider", {"user_compute_stream": str(stream.cuda_stream)})
    session = onnxruntime.InferenceSession(str(file), providers=[provider])
    if "CUDAExecutionProvider" not in session.get_providers():
        raise NotAvailable("ONNX Runtime cannot start its CUDA provider: see what it printed.")

    def call_of(feeds: Feeds) -> Call:
        inputs, binding = on_gpu(feeds), session.io_binding()
        for name in (value.name for value in session.get_inputs()):
            binding.bind_input(name, "cuda", 0, np.int64, tuple(inputs[name].shape), inputs[name].data_ptr())
        binding.bind_output("logits", "cuda")

        def work() -> object:
            session.run_with_iobinding(binding)
            return inputs  # of which the binding has the addresses alone

        return timed(stream, work)

    return call_of


def tensorrt_rtx(source: Source) -> Opened:
    """An engine, which times itself."""
    target = TARGETS.load("tensorrt-rtx")
    if reason := target.unavailable():
        raise NotAvailable(reason)
    made = built(source, "tensorrt-rtx")
    session = target.open(made.file, made.settings, threads=1)

    def call_of(feeds: Feeds) -> Call:
        def call() -> float:
            session(feeds)
            return float(session.gpu_ms)

        return call

    return call_of


RUNTIMES: Mapping[str, Callable[[Source], Opened]] = {
    "PyTorch FP16": eager,
    "PyTorch FP16, CUDA graph": captured,
    "ONNX Runtime CUDA FP16": onnxruntime_cuda,
    "TensorRT-RTX FP16": tensorrt_rtx,
}


def built(source: Source, target: str) -> build.Built:
    """The FP16 file of a target."""
    export, material = Export(target, "fp16", None), Material("fp16", lambda: ())
    return build.build(export, source.graph, material, EXTENT, work=source.folder, out=source.folder)


def opened(folder: Path) -> Iterator[tuple[str, Opened]]:
    """Every model in every runtime; those that cannot be opened say why."""
    for name, share in MODELS.items():
        own = folder / name.replace(", ", "-")
        own.mkdir()
        model = bert(share)
        graph = build.source(model, "onnxruntime", own)
        source = Source(model.to("cuda", torch.float16), graph, own)
        for runtime, start in RUNTIMES.items():
            try:
                yield f"{name}, {runtime}", start(source)
            except Exception as error:  # engines' errors share no class
                print(f"{name}, {runtime}: none: {said(error)}", flush=True)


def rounds_of(calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every call, once a round, in a new order each time; before it, the call is made once untimed."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(sorted(calls), len(calls)):
            calls[name]()
            samples[name].append(calls[name]())
    return samples


def said(error: Exception) -> str:
    """An error on one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main() -> None:
    """Time every shape and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="interleaved rounds at each shape")
    parser.add_argument("--work", type=Path, help="where the temporary folder goes")
    arguments = parser.parse_args()
    try:
        check_gpu()
    except NotAvailable as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        ready = dict(opened(Path(name)))
        for rows, tokens in SHAPES:
            feeds, calls = batch_of(rows, tokens), dict[str, Call]()
            for name_, call_of in ready.items():
                try:
                    calls[name_] = call_of(feeds)
                    calls[name_]()
                except Exception as error:
                    calls.pop(name_, None)
                    print(f"{name_} at {rows} x {tokens}: none: {said(error)}", flush=True)
            table(rows, tokens, rounds_of(calls, arguments.rounds))
    print(f"\n{machine.describe().machine_class}, {torch.cuda.get_device_name()}, {arguments.rounds} rounds")
    print(machine.versions(("torch", "transformers", "onnxruntime-gpu", "onnxruntime", "tensorrt_rtx")))


def table(rows: int, tokens: int, samples: Mapping[str, list[float]]) -> None:
    """Print percentiles, and ratios against PyTorch FP16 on the whole model with 95 % intervals."""
    print(f"\n{f'{rows} x {tokens}':<46}{'p50 ms':>9}{'p99 ms':>9}   times as fast")
    for name, own in samples.items():
        latency = timer.summary(own)
        value, low, high = timer.ratio(samples[REFERENCE], own, turn=1, seed=0)
        print(f"{name:<46}{latency.p50_ms:9.3f}{latency.p99_ms:9.3f}   {value:.2f} ({low:.2f}-{high:.2f})", flush=True)


if __name__ == "__main__":
    main()
