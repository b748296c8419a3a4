"""What must hold for a run to pass."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from compress.config.group import Closed, Positive, Share


class AccuracyGate(Closed):
    """How much accuracy must be left."""

    keep: Share | None = None
    """Smallest share of the teacher's metric that a student keeps."""
    max_drop: Share = 0.01
    """Largest drop of the metric below the baseline report's."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """How sure an answer on the rows must be, one-sided, in slices and lower precisions too. What they cannot tell is not comparable; 0.5 takes numbers as they are."""
    on: str | None = None
    """The export that is judged, such as `onnxruntime-int8`; every export if left out."""


class FidelityGate(Closed):
    """How close to its teacher in PyTorch FP32 a student must stay."""

    agreement: Share | None = None
    """Smallest share of the test rows that both answer alike."""
    kl: Annotated[float, Field(gt=0)] | None = None
    """Largest mean KL divergence of its probabilities from the teacher's, in nats."""
    on: str | None = None
    """The export that is judged; every export if left out."""


class CalibrationGate(Closed):
    """How well a student's confidence must fit its accuracy."""

    ece: Share | None = None
    """Largest expected calibration error."""
    on: str | None = None
    """The export that is judged; every export if left out."""


class SliceGate(Closed):
    """What must be left of the accuracy in each part of the test rows, so that the average hides no loss."""

    by: str
    """What the rows are parted by: `label`, `length`, or one of `measure.columns`."""
    max_drop: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Largest drop of the accuracy in a part: below the teacher's, and below the baseline's where there is one. Parts too small to pass are judged only where a loss is shown."""
    edges: tuple[Positive, ...] | None = None
    """Tokens at which a new part begins, with `by: length`; four parts with as many rows each if left out."""
    on: str | None = None
    """The export that is judged; every export if left out."""

    @model_validator(mode="after")
    def _edges(self) -> Self:
        if self.edges is not None:
            if self.by != "length":
                raise ValueError("`edges` belong to `by: length`")
            if list(self.edges) != sorted(set(self.edges)) or not self.edges:
                raise ValueError("`edges` rise: [16, 32]")
        return self


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
    relative: bool = False
    """Compare with the baseline by the speed-up over the teacher in PyTorch FP32, timed in the same rounds, instead of by ms; that holds across machine classes, on as many threads."""
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
    fidelity: FidelityGate = FidelityGate()
    """Closeness to the teacher."""
    calibration: CalibrationGate = CalibrationGate()
    """Fit of confidence and accuracy."""
    slices: tuple[SliceGate, ...] = ()
    """Accuracy left in parts of the rows."""
    latency: LatencyGate = LatencyGate()
    """Time of an answer."""
    size: SizeGate = SizeGate()
    """Size of a file."""
    baseline: str | None = None
    """A report (JSON) that nothing may be worse than, relative to the pipeline file."""
