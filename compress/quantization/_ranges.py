"""From activations on calibration rows to the range that their integers cover: five ways, and what they look at."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

    from compress.quantization import Calibration, Feeds

BINS = 4096
LEVELS = 256
"""Integers of eight bits."""
_KEPT = np.linspace(0.02, 1, 99)
"""Shares of the largest magnitude that are tried."""
_PROBES = ((2, 3), (5, 7))
"""Rows and tokens of calls that tell where a value has its tokens."""
_INSIDE = 0.9999
"""The share of the values that `percentile` leaves inside."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Seen:
    """The values of one activation, those of padding left out."""

    low: float
    high: float
    mean_low: float
    """The mean of the batches' smallest values."""
    mean_high: float
    counts: NDArray[np.int64]
    """(BINS,) how many values lie in each part of low to high."""

    @property
    def centres(self) -> NDArray[np.float64]:
        """(BINS,) the middle of each part."""
        width = (self.high - self.low) / BINS
        return np.asarray(self.low + width * (np.arange(BINS) + 0.5), np.float64)


def average(seen: Seen) -> Range:
    """The mean of the batches' extremes, which lets in fewer outliers than the extremes of all."""
    return seen.mean_low, seen.mean_high


def minmax(seen: Seen) -> Range:
    """Everything that was seen."""
    return seen.low, seen.high


def percentile(seen: Seen) -> Range:
    """All but one value in ten thousand, half of those at either end (Wu et al. 2020, arXiv:2004.09602, section 3.3)."""
    below = np.cumsum(seen.counts) / seen.counts.sum()
    tail = (1 - _INSIDE) / 2
    first, last = (int(np.searchsorted(below, end)) for end in (tail, 1 - tail))
    width = (seen.high - seen.low) / BINS
    return seen.low + width * first, seen.low + width * min(last + 1, BINS)


def mse(seen: Seen) -> Range:
    """The part of the seen range at which the squared error of rounding and cutting off is least."""
    return _least(seen, _squared)


def entropy(seen: Seen) -> Range:
    """The part of the seen range at which the integers' histogram tells most about the values' own.

    Least is the Kullback-Leibler divergence between the two (Migacz 2017, "8-bit inference with TensorRT").
    """
    return _least(seen, _divergence)


METHODS: Mapping[str, Callable[[Seen], Range]] = {
    "average": average,
    "minmax": minmax,
    "entropy": entropy,
    "percentile": percentile,
    "mse": mse,
}


def _least(seen: Seen, loss: Callable[[Seen, float, float], float]) -> Range:
    """The seen range without what is larger than a share of its largest magnitude, the share being that of least loss."""
    most = max(abs(seen.low), abs(seen.high))
    tried = [(max(seen.low, -share * most), min(seen.high, share * most)) for share in _KEPT]
    return min(tried, key=lambda span: loss(seen, *span))


def _places(seen: Seen, low: float, high: float) -> NDArray[np.int64]:
    """(BINS,) the integer that each part of the seen range becomes."""
    step = max((max(high, 0) - min(low, 0)) / (LEVELS - 1), 1e-30)
    places: NDArray[np.int64] = np.clip(np.rint((seen.centres - min(low, 0)) / step), 0, LEVELS - 1).astype(np.int64)
    return places


def _squared(seen: Seen, low: float, high: float) -> float:
    step = (max(high, 0) - min(low, 0)) / (LEVELS - 1)
    back = min(low, 0) + step * _places(seen, low, high)
    return float((seen.counts * (seen.centres - back) ** 2).sum())


def _divergence(seen: Seen, low: float, high: float) -> float:
    counts = seen.counts.astype(np.float64)
    places = _places(seen, low, high)
    inside = (seen.centres >= low) & (seen.centres <= high)
    if not counts[inside].any():
        return float("inf")
    # What is cut off is counted at the ends of what is kept.
    kept = np.where(inside, counts, 0)
    first, last = np.flatnonzero(inside)[[0, -1]]
    kept[first] += counts[:first].sum()
    kept[last] += counts[last + 1 :].sum()
    filled = inside & (counts > 0)
    # The integers know only how much lies in each; it is spread over the parts that hold something.
    mass = np.bincount(places[inside], counts[inside], LEVELS)
    share = mass / np.maximum(np.bincount(places[filled], minlength=LEVELS), 1)
    spread = np.where(filled, share[places], 0)
    some = (kept > 0) & (spread > 0)
    lost = kept[(kept > 0) & (spread == 0)].sum()
    p, q = kept[some] / kept.sum(), spread[some] / spread.sum()
    return float((p * np.log(p / q)).sum() + lost / kept.sum() * 30)


def watch(graph: onnx.ModelProto, names: Iterable[str], calibration: Calibration) -> dict[str, Seen]:
    """What values of a graph come to on calibration rows; empty if there are none."""
    names = sorted(set(names))
    run = _running(graph, names)
    lows: dict[str, list[float]] = {name: [] for name in names}
    highs: dict[str, list[float]] = {name: [] for name in names}
    for feed in calibration():
        for name, values in run(feed):
            lows[name].append(float(values.min()))
            highs[name].append(float(values.max()))
    counts = {name: np.zeros(BINS, np.int64) for name in names}
    for feed in calibration():
        for name, values in run(feed):
            counts[name] += np.histogram(values, BINS, (min(lows[name]), max(highs[name])))[0]
    return {
        name: Seen(
            min(lows[name]), max(highs[name]), float(np.mean(lows[name])), float(np.mean(highs[name])), counts[name]
        )
        for name in names
        if lows[name]
    }


def largest(graph: onnx.ModelProto, names: Iterable[str], calibration: Calibration) -> dict[str, NDArray[np.float32]]:
    """(width,) the largest magnitude in each channel of values (rows, tokens, width); empty if there are no rows."""
    run = _running(graph, sorted(set(names)))
    found: dict[str, NDArray[np.float32]] = {}
    for feed in calibration():
        for name, values in run(feed):
            here = np.abs(values).max(axis=0)
            found[name] = np.maximum(found[name], here) if name in found else here
    return found


def _running(graph: onnx.ModelProto, names: list[str]) -> Callable[[Feeds], Iterable[tuple[str, NDArray[np.float32]]]]:
    """Gives for a batch the real tokens' values of each name: (tokens, width). Of a value without tokens it gives all."""
    import onnx
    import onnxruntime

    from compress.encoders.graph import write_graph

    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    del watched.graph.output[:]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # by a file: there is no limit of 2 GB
        write_graph(watched, Path(folder, "graph.onnx"))
        session = onnxruntime.InferenceSession(
            str(Path(folder, "graph.onnx")), options, providers=["CPUExecutionProvider"]
        )
    inputs = [value.name for value in session.get_inputs()]

    def answers(feed: Feeds) -> dict[str, NDArray[np.float32]]:
        return dict(zip(names, session.run(names, {key: feed[key] for key in inputs}), strict=True))

    # By two calls, as a single batch may have as many tokens as the model has heads.
    probes = [answers({key: np.full(size, key == "attention_mask", np.int64) for key in inputs}) for size in _PROBES]

    shapes = {name: tuple(probe[name].shape[:2] for probe in probes) for name in names}

    def run(feed: Feeds) -> Iterable[tuple[str, NDArray[np.float32]]]:
        real = feed["attention_mask"].astype(bool)
        layouts = {_PROBES: real, tuple(size[::-1] for size in _PROBES): real.T}
        for name, values in answers(feed).items():
            kept = layouts.get(shapes[name])
            yield name, values.reshape(-1, values.shape[-1]) if kept is None else values[kept]

    return run
