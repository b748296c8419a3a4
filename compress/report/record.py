"""The report of a run as data: everything that was measured, and on what. The pages and the verdict are made from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from compress import files
from compress.config import settings
from compress.config.group import Closed
from compress.errors import InputError, Problem
from compress.report.packing import unpacked
from compress.report.structure import Count, Structure
from compress.report.variant import REFERENCE, TEACHER, Number, Unmeasured, Variant

VERSION: Final = 2
_READ = (1, 2)
"""Versions that are read. Version 2 has more that need not be there."""

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


class Column(Closed):
    """What a column of the data says of each test row."""

    values: Annotated[tuple[str, ...], Field(min_length=1)]
    """What it may say."""
    rows: str
    """Which of them it says of each test row: places in `values`, packed as the predictions are."""


class Row(Closed):
    """A test row in words."""

    row: Count
    """Its number among the test rows, from 0."""
    text: str
    """Its text, or the beginning of a long one."""
    text_pair: str | None = None
    """Its second text."""


class Record(Closed):
    """The report of a run."""

    record_version: Literal[2] = VERSION
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
    lengths: str | None = None
    """How many of the teacher's tokens each test row has, cut to `task.max_length`; packed as the predictions are."""
    columns: dict[str, Column] = {}
    """Further columns of the test rows."""
    rows: tuple[Row, ...] = ()
    """Test rows that the teacher and a student answer differently."""
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
        rows, labels = self.data.test.rows, len(self.task.labels)
        packed = [("gold", self.gold, labels), *((f"{v.model} {v.id}", v.predictions, labels) for v in self.variants)]
        packed += [(f"columns.{name}", column.rows, len(column.values)) for name, column in self.columns.items()]
        packed += [] if self.lengths is None else [("lengths", self.lengths, self.task.max_length + 1)]
        for what, text, above in packed:
            ids = unpacked(text, rows)
            if len(ids) != rows:
                raise ValueError(f"{what}: {len(ids)} numbers for {rows} test rows")
            if any(number >= above for number in ids):
                raise ValueError(f"{what}: a number above {above - 1}, the last")
        if any(shown.row >= rows for shown in self.rows):
            raise ValueError(f"rows: a row above {rows - 1}, the last")
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
    if version not in _READ or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        todo = "Update this program to read it." if newer else "Make the report anew: `compress run --from report`."
        known = " and ".join(map(str, _READ))
        raise InputError(Problem(where, f"has record_version {version!r}; this program reads {known}. {todo}"))
    try:
        return Record.model_validate({**value, "record_version": VERSION})
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
