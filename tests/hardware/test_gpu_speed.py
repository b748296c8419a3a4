"""The GPU benchmark's runtimes on a small model; skipped where there is no GPU, or not that runtime."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from compress.errors import NotAvailable, UnknownName
from compress.stages import build

FILE = Path(__file__).parents[2] / "benchmarks" / "gpu_speed.py"


@pytest.fixture(scope="module")
def speed():
    specification = importlib.util.spec_from_file_location("gpu_speed", FILE)
    module = importlib.util.module_from_spec(specification)
    sys.modules["gpu_speed"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["gpu_speed"]


def test_half_a_model_has_half_of_its_heads_and_neurons(speed):
    assert speed.bert(0.5, layers=2, hidden=256).config.compress["neurons"] == [512, 512]
    assert speed.bert(0.5, layers=2, hidden=256).config.compress["heads"] == [[0, 1], [0, 1]]


def test_without_a_gpu_it_says_so(speed, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(NotAvailable, match="built without CUDA"):
        speed.check_gpu()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotAvailable, match="finds no GPU"):
        speed.check_gpu()


def test_every_call_is_timed_once_a_round(speed):
    answers = iter(range(100))
    samples = speed.rounds_of({"one": lambda: float(next(answers)), "other": lambda: -1.0}, 3)
    assert samples == {"one": [1.0, 3.0, 5.0], "other": [-1.0] * 3}


@pytest.mark.hardware
@pytest.mark.parametrize(
    "runtime", ["PyTorch FP16", "PyTorch FP16, CUDA graph", "ONNX Runtime CUDA FP16", "TensorRT-RTX FP16"]
)
def test_a_runtime_answers_on_the_gpu(speed, runtime, tmp_path):
    try:
        speed.check_gpu()
        model = speed.bert(0.5, layers=2, hidden=128)
        graph = build.source(model, "onnxruntime", tmp_path)
        source = speed.Source(model.to("cuda", torch.float16), graph, tmp_path)
        call = speed.RUNTIMES[runtime](source)(speed.batch_of(2, 16))
    except (NotAvailable, UnknownName) as error:
        pytest.skip(str(error))
    assert 0 < call() < 1000
