"""One model in one runtime and precision, as it was measured."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, computed_field, model_validator

from compress.config.group import Closed, Share
from compress.report.structure import Count

TEACHER = "teacher"
REFERENCE = "pytorch-fp32"

Number = Annotated[float, Field(ge=0)]


class Interval(Closed):
    """Where a number lies with 95 % confidence."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"an interval from {self.low} to {self.high}")
        return self


class Estimate(Interval):
    """A number with its 95 % interval."""

    value: float
    """The number."""


class Parity(Closed):
    """How an exported model's logits differ from its PyTorch source's, on the same rows."""

    max_abs: Number
    """Largest absolute difference of a logit."""
    mean_abs: Number
    """Mean absolute difference of the logits."""
    agreement: Share
    """Share of the rows with the same answer."""
    rows: Count
    """Rows compared."""
    tolerance: Number
    """Largest absolute difference that was allowed."""


class Cell(Closed):
    """Latency of one shape of input."""

    batch: Annotated[int, Field(ge=1)]
    """Rows in one call."""
    sequence: Annotated[int, Field(ge=1)] | None
    """Tokens of each row; null for real rows, each of its own length."""
    p50_ms: Annotated[float, Field(gt=0)]
    """Median time of a call."""
    p90_ms: Number
    """90th percentile."""
    p95_ms: Number
    """95th percentile."""
    p99_ms: Number
    """99th percentile."""
    mean_ms: Number
    """Mean."""
    rows_per_s: Number
    """Rows answered in a second at the median."""
    samples: Annotated[int, Field(ge=1)]
    """Calls timed."""
    speedup: Annotated[float, Field(gt=0)] | None = None
    """Median of the teacher in PyTorch FP32, timed in the same rounds, over this median."""
    p50_interval: Interval | None = None
    """Where the median lies, over the rounds; ms."""
    p95_interval: Interval | None = None
    """Where the 95th percentile lies, over the rounds; ms."""
    speedup_interval: Interval | None = None
    """Where the speed-up lies, over the rounds."""
    to_plain: Estimate | None = None
    """How many times as fast as the same model in the same runtime's plain precision, for lower ones."""


class Variant(Closed):
    """A model in one runtime and precision."""

    model: Annotated[str, Field(min_length=1)]
    """`teacher` or a student's name."""
    runtime: Annotated[str, Field(min_length=1)]
    """What runs it: `pytorch`, or a target's name."""
    precision: Annotated[str, Field(min_length=1)]
    """Its number format."""
    recipe: str | None = None
    """The quantization recipe, if one was asked for."""
    quantization: str | None = None
    """The quantization recipe it was made by."""
    plain: str | None = None
    """Of a lower precision the id of the plain one in the same runtime, which it is compared with."""
    asked: bool = True
    """Whether the pipeline asks for it; else it is here to be compared with."""
    max_drop: Share = 0.01
    """Share of the rows that a lower precision may lose."""
    on_regression: Literal["keep", "drop", "fail"] = "keep"
    """What becomes of a lower precision that is slower or worse."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was made."""
    parameters: Count
    """Parameters of the model."""
    size_bytes: Count
    """Size of its weights or exported file."""
    metrics: dict[str, float]
    """Metrics on the test rows."""
    predictions: str
    """Predicted label ids of the test rows in order: base64 of zlib of little-endian 16-bit unsigned integers."""
    agreement: Share
    """Share of the test rows answered as the teacher in PyTorch FP32 does."""
    divergence: Estimate | None = None
    """How far its probabilities lie from the teacher's in PyTorch FP32: mean over the test rows of their KL divergence, in nats."""
    calibration_error: Estimate | None = None
    """How far its confidence lies from its accuracy: expected calibration error on the test rows, as a share."""
    parity: Parity | None = None
    """Comparison with its PyTorch source, if it was exported."""
    latency: tuple[Cell, ...] = ()
    """Latency of each measured shape."""
    same_rows: Cell | None = None
    """Latency at batch 1 on real test rows, the same ones for every variant."""
    peak_memory_bytes: Count | None = None
    """Largest resident memory of a fresh process that serves it."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """The name of this export: `onnxruntime-int8`, with the recipe if one was asked for."""
        return f"{self.runtime}-{self.precision}" + (f"-{self.recipe}" if self.recipe else "")

    @model_validator(mode="before")
    @classmethod
    def _without_id(cls, value: Any) -> Any:
        return {key: item for key, item in value.items() if key != "id"} if isinstance(value, dict) else value

    def cell(self, batch: int, sequence: int) -> Cell | None:
        """The latency of one shape, if it was measured."""
        return next((cell for cell in self.latency if (cell.batch, cell.sequence) == (batch, sequence)), None)


class Unmeasured(Closed):
    """What was built and could not be run here."""

    model: Annotated[str, Field(min_length=1)]
    """`teacher` or a student's name."""
    id: Annotated[str, Field(min_length=1)]
    """The name of the export."""
    size_bytes: Count
    """Size of the file."""
    reason: str
    """Why it could not be run."""
    on_regression: Literal["keep", "drop", "fail"] = "keep"
    """What becomes of a lower precision that is slower or worse; with `fail` the gate has nothing to compare."""
