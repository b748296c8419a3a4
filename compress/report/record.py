"""The report of a run as data: everything that was measured, and on what. The pages and the verdict are made from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, computed_field, model_validator

from compress import files
from compress.config import settings
from compress.config.group import Closed, Share
from compress.errors import InputError, Problem
from compress.report.packing import unpacked
from compress.report.structure import Count, Structure

VERSION: Final = 1
TEACHER = "teacher"
REFERENCE = "pytorch-fp32"

Number = Annotated[float, Field(ge=0)]
Digest = Annotated[str, Field(min_length=1)]


class Machine(Closed):
    """The machine everything was measured on."""

    machine_class: str
    """Short stable name; latencies are compared within one class only."""
    processor: str
    """Name of the processor."""
    physical_cores: Count
    """Physical cores this process may use."""
    logical_cores: Count
    """Logical cores this process may use."""
    memory_bytes: Count
    """Memory this process may use; 0 where it cannot be told."""
    system: str
    """Operating system and its version."""
    architecture: str
    """Instruction set, such as `x86_64`."""
    features: tuple[str, ...] = ()
    """Vector instructions that matter to quantized models."""
    gpus: tuple[str, ...] = ()
    """Names of the GPUs."""


class Task(Closed):
    """What the models do."""

    type: str
    """Kind of task."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """Label names in the order of their ids."""
    metric: str
    """The metric that is reported first and gated."""
    max_length: Count
    """Longest input in tokens."""


class Split(Closed):
    """The rows of one split."""

    rows: Count
    """Number of rows."""
    sha256: Digest
    """Digest of the rows' content, or of what names it on the Hub."""


class Data(Closed):
    """The rows the models learned from and were judged on."""

    train: Split
    """Training rows."""
    validation: Split
    """Rows watched during training."""
    test: Split
    """Rows that the accuracy is computed on."""
    unlabelled: Split | None = None
    """Rows without labels, if the pipeline has some."""
    duplicates: Count = 0
    """Test rows whose text is also among the training rows or the unlabelled ones."""
    hub: str | None = None
    """Id of the data set on the Hub, if it comes from there."""
    config: str | None = None
    """Its configuration there, if one is asked for."""


class Weights(Closed):
    """Pretrained weights that a model started from."""

    hub: str | None = None
    """Their id on the Hub, if they are there."""
    license: str | None = None
    """SPDX identifier of their licence, if a card tells it."""
    language: str | None = None
    """Language code of their text, or `any`, if a card tells it."""
    source: str | None = None
    """Paper that they come from, if a card tells it."""


class Epoch(Closed):
    """One point of a training curve."""

    epoch: Number
    """Passes over the training rows so far."""
    loss: float
    """Mean training loss since the last point."""
    validation: float | None = None
    """Share of the validation rows answered rightly."""


class Stage(Closed):
    """One step of the run."""

    name: str
    """Its name, such as `distill/tiny`."""
    seconds: Number
    """How long the work took, when it was done."""
    history: tuple[Epoch, ...] = ()
    """The training curve, if it trained."""
    notes: tuple[str, ...] = ()
    """What a reader should know about it."""


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


class Ratio(Closed):
    """How many times as fast as something timed in the same rounds, with its 95 % interval."""

    value: Annotated[float, Field(gt=0)]
    """The other's median over this median."""
    low: Number
    """Lower end."""
    high: Number
    """Upper end."""


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
    to_plain: Ratio | None = None
    """Speed beside the same model in the same runtime's plain precision, for lower ones."""


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


class Record(Closed):
    """The report of a run."""

    record_version: Literal[1] = VERSION
    """Version of this format."""
    name: str
    """Name of the run."""
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    """When it was made, in UTC."""
    command: str
    """The command that made it."""
    seed: Count
    """Seed of everything random."""
    versions: dict[str, str]
    """Versions of this program, of Python and of the libraries that change numbers."""
    machine: Machine
    """The machine everything was measured on."""
    task: Task
    """What the models do."""
    data: Data
    """The rows the models learned from and were judged on."""
    weights: dict[str, Weights] = {}
    """What the teacher started from, and the students that have weights of their own."""
    measure: settings.Measure
    """What was timed, and how."""
    gate: settings.Gate
    """What had to hold."""
    stages: tuple[Stage, ...]
    """The steps of the run, in order."""
    gold: str
    """The test rows' own label ids, packed as the predictions are."""
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    """Every model in every runtime and precision; the teacher's first."""
    unmeasured: tuple[Unmeasured, ...] = ()
    """What was built and could not be run here."""
    structures: dict[str, Structure] = {}
    """What is left of each student's layers."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen = [(variant.model, variant.id) for variant in self.variants]
        twice = sorted({f"{model} {variant}" for model, variant in seen if seen.count((model, variant)) > 1})
        if twice:
            raise ValueError(f"two variants of one name: {', '.join(twice)}")
        for what, packed in [("gold", self.gold), *((f"{v.model} {v.id}", v.predictions) for v in self.variants)]:
            ids = unpacked(packed, self.data.test.rows)
            if len(ids) != self.data.test.rows:
                raise ValueError(f"{what}: {len(ids)} label ids for {self.data.test.rows} test rows")
            if any(label >= len(self.task.labels) for label in ids):
                raise ValueError(f"{what}: a label id above {len(self.task.labels) - 1}, the last label's")
        return self

    @property
    def students(self) -> tuple[str, ...]:
        """The students' names, in order."""
        return tuple(dict.fromkeys(variant.model for variant in self.variants if variant.model != TEACHER))

    @property
    def reference(self) -> Variant | None:
        """The teacher in PyTorch FP32, which the students are compared with."""
        return self.variant(TEACHER, REFERENCE)

    @property
    def shape(self) -> tuple[int, int]:
        """Batch and sequence of the first measured cell."""
        return self.measure.batch[0], self.measure.sequence[0]

    def of(self, model: str) -> tuple[Variant, ...]:
        """The variants of one model."""
        return tuple(variant for variant in self.variants if variant.model == model)

    def variant(self, model: str, name: str) -> Variant | None:
        """One variant by the model's name and the variant's id, if it is there."""
        return next((variant for variant in self.of(model) if variant.id == name), None)


def save(record: Record, path: Path) -> None:
    """Write a record as JSON, whole or not at all."""
    files.write_json(path, record.model_dump(mode="json"))


def load(path: Path) -> Record:
    """Read a record.

    Raises: InputError naming the file and every problem in it: not JSON, another version, wrong or unknown keys
    """
    return parse(files.read_json(path), str(path))


def parse(value: Any, where: str) -> Record:
    """A record from the value of its JSON; `where` names it in errors.

    Raises: InputError as load
    """
    version = value.get("record_version") if isinstance(value, dict) else None
    if version is None:
        raise InputError(Problem(where, "not a report of this program: it has no `record_version`."))
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        todo = "Update this program to read it." if newer else "Make the report anew: `compress run --from report`."
        raise InputError(Problem(where, f"has record_version {version!r}; this program reads {VERSION}. {todo}"))
    try:
        return Record.model_validate(value)
    except ValidationError as error:
        raise InputError([_problem(where, dict(item)) for item in error.errors(include_url=False)]) from error


def _problem(where: str, error: dict[str, Any]) -> Problem:
    steps: Sequence[str | int] = error["loc"]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if error["type"] in ("missing", "extra_forbidden"):
        return Problem(where, f"{key}: {'is missing' if error['type'] == 'missing' else 'no such key'}.")
    seen = json.dumps(error["input"], default=str)
    seen = f" Seen: {seen if len(seen) <= 60 else seen[:57] + '...'}." if key else ""
    message = error["msg"].removeprefix("Value error, ")
    return Problem(where, f"{key + ': ' if key else ''}{message}.{seen}")


def schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return Record.model_json_schema(mode="serialization")
