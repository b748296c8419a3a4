"""How models, metrics and ratios are written for people."""

import re

from compress import units

_RUNTIMES = {
    "pytorch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "onnxruntime-mobile": "ONNX Runtime Mobile",
    "onnxruntime-web": "ONNX Runtime Web",
    "openvino": "OpenVINO",
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT-RTX",
    "executorch": "ExecuTorch",
    "coreml": "Core ML",
    "litert": "LiteRT",
}
_METRICS = {"accuracy": "accuracy", "f1_macro": "macro F1", "mcc": "Matthews correlation"}
_SHARES = ("accuracy", "f1")


def runtime(name: str) -> str:
    """A runtime's own spelling: `onnxruntime` -> `ONNX Runtime`."""
    return _RUNTIMES.get(name, name)


def precision(name: str, recipe: str | None = None) -> str:
    """A number format, with the quantization recipe if one was asked for: `INT8 (static_qdq)`."""
    return f"{name.upper()} ({recipe})" if recipe else name.upper()


def metric(name: str) -> str:
    """A metric's name in words: `f1_macro` -> `macro F1`."""
    return _METRICS.get(name, name)


def share(name: str) -> bool:
    """Whether a metric is a share of rows, whose differences are told in points."""
    return name.startswith(_SHARES)


def score(name: str, value: float) -> str:
    """A metric's value: per cent for shares of rows, three digits after the point for coefficients."""
    return units.percent(value) if share(name) else f"{value:.3f}"


def times(ratio: float) -> str:
    """A ratio with three digits: `0.87×`, `1.84×`, `18.4×`, `184×`."""
    return f"{ratio:.0f}×" if ratio >= 99.95 else f"{ratio:.1f}×" if ratio >= 9.995 else f"{ratio:.2f}×"


def shape(batch: int, sequence: int | None) -> str:
    """The shape of an input: `1 × 16` is one row of 16 tokens."""
    return f"{batch} × {'own length' if sequence is None else sequence}"


def number(value: int) -> str:
    """A whole number with thin groups: `12 345`."""
    return f"{value:,}".replace(",", "\u202f")


def plural(count: int, one: str, many: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number(count)} {one if count == 1 else many}"


def points(difference: float) -> str:
    """A difference of two shares in points with its sign: `+0.50`, `−1.17`."""
    return f"{100 * difference:+.2f}".replace("-", "−")


_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")


def line(text: str) -> str:
    """Text on one line, what a reader's program would obey spelt as `printable` spells it."""
    return units.printable(_BREAK.sub(" ", text))
