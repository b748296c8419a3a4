"""What must hold for a run to pass."""

from typing import Annotated

from pydantic import Field

from compress.config.group import Closed, Positive, Share


class AccuracyGate(Closed):
    """How much accuracy must be left."""

    keep: Share | None = None
    """Smallest share of the teacher's metric that a student keeps."""
    max_drop: Share = 0.01
    """Largest drop of the metric below the baseline report's."""
    on: str | None = None
    """The export that is judged, such as `onnxruntime-int8`; every export if left out."""


class LatencyGate(Closed):
    """How fast a student must answer."""

    p50_ms: Annotated[float, Field(gt=0)] | None = None
    """Largest median latency."""
    p95_ms: Annotated[float, Field(gt=0)] | None = None
    """Largest 95th percentile of the latency."""
    speedup: Annotated[float, Field(gt=0)] | None = None
    """Smallest ratio of the teacher's median latency in PyTorch FP32, timed in the same rounds, to the student's."""
    batch: Positive | None = None
    """Rows in one call; the first of `measure.batch` if left out."""
    sequence: Positive | None = None
    """Tokens of each row; the first of `measure.sequence` if left out."""
    max_ratio: Annotated[float, Field(ge=1)] = 1.25
    """Largest ratio to the baseline report's median latency, compared within one machine class only."""
    on: str | None = None
    """The export that is judged; every export if left out."""


class SizeGate(Closed):
    """How large a student's file may be."""

    max_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest size in MB (10^6 bytes)."""
    max_ratio: Annotated[float, Field(ge=1)] = 1.02
    """Largest ratio to the baseline report's size."""
    on: str | None = None
    """The export that is judged; every export if left out."""


class Gate(Closed):
    """What must hold for the run to pass."""

    students: tuple[str, ...] | None = None
    """Students that are judged; all if left out."""
    accuracy: AccuracyGate = AccuracyGate()
    """Accuracy left."""
    latency: LatencyGate = LatencyGate()
    """Time of an answer."""
    size: SizeGate = SizeGate()
    """Size of a file."""
    baseline: str | None = None
    """A report (JSON) that nothing may be worse than, relative to the pipeline file."""
