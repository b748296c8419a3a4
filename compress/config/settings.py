"""What a pipeline file and a card may say. Every model is closed (no unknown keys) and frozen.

A field's description is its documentation: `compress check --schema` and the reference page are made from it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from compress.config.group import Positive, Settings, Share
from compress.config.layers import Mapping, Start
from compress.config.schedule import Temperature, Weight
from compress.registry import TASKS

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Origin = Literal["train", "unlabelled", "augmented"]
"""Where rows that a student learns from come from."""
Rounding = Literal["int8", False]
"""Whose rounding a student computes with in training, if any."""


def _listed(value: Any) -> Any:
    """One value stands for a list of one."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, int | str) else value


def _off(value: Any) -> Any:
    """`false` stands for nothing."""
    return None if value is False else value


def _model_name(kind: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, str) and "." in value:
            better = value.replace(".", "-")
            raise ValueError(
                f"a {kind}'s name has no dot, which `--set` reads as the step to the next key. Write `{better}`"
            )
        if value == MAIN:
            raise ValueError(f"a {'further teacher' if kind == 'teacher' else kind} cannot be named `{MAIN}`")
        return value

    return check


MAIN = "teacher"
"""What the main teacher is called among the others."""
StudentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"), BeforeValidator(_model_name("student"))]
TeacherName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"), BeforeValidator(_model_name("teacher"))]
Tokens = Annotated[int, Field(ge=4)]
Texts = Annotated[tuple[str, ...], Field(min_length=1)]
Counts = Annotated[tuple[Positive, ...], Field(min_length=1)]
Lengths = Annotated[tuple[Tokens, ...], Field(min_length=1)]
Origins = Annotated[tuple[Origin, ...], Field(min_length=1)]


class Data(Settings):
    """Where the rows come from: local files, or a data set of the Hugging Face Hub."""

    train: str | None = None
    """Training rows: a CSV, TSV, JSONL or Parquet file, relative to the pipeline file; with `hub`, a split such as `train[:90%]`."""
    validation: str | None = None
    """Rows watched during training."""
    test: str | None = None
    """Rows that the reported accuracy and the gate are computed on; the validation rows if left out."""
    unlabelled: str | None = None
    """Further rows, without labels, that students learn from by their teacher's answers: a file like the others, or `.txt` with one text a line; with `hub`, a split."""
    hub: str | None = None
    """Data set id on the Hub, such as `nyu-mll/glue`; loading it uses the network."""
    config: str | None = None
    """Configuration of the Hub data set, such as `sst2`."""
    revision: str | None = None
    """Commit or tag of the Hub data set."""
    columns: tuple[str, ...] | None = None
    """Column names, in order, of CSV/TSV files that have no header line, such as `[label, text]`; rows without labels may lack the label's."""

    @model_validator(mode="after")
    def _source(self) -> Self:
        if self.hub is None:
            if self.train is None or self.validation is None:
                raise ValueError("give `train` and `validation` files, or a `hub` data set")
            if self.config or self.revision:
                raise ValueError("`config` and `revision` belong to a `hub` data set")
        return self

    def split(self, name: Literal["train", "validation", "test", "unlabelled"]) -> str:
        """The file or Hub split that serves as `name`."""
        if name == "test":
            return self.test or self.validation or "validation"
        return getattr(self, name) or name


class Reading(Settings):
    """Where the rows are, and what is read of them."""

    data: Data
    """Where the rows are."""
    text: str = "text"
    """Column of the text."""
    text_pair: str | None = None
    """Column of the second text of a pair."""
    label: str = "label"
    """Column of the label."""
    labels: tuple[str, ...] | None = None
    """Label names in the order of their ids; found in the training rows if left out (then sorted)."""


class Task(Reading):
    """What the model is to do, and on which rows."""

    type: Annotated[str, Field(json_schema_extra=lambda schema: schema.update(enum=[*TASKS.names()]))]
    """The kind of task."""
    metric: str = "accuracy"
    """The metric that is reported first and gated."""
    max_length: Annotated[int, Field(ge=4, le=8192)] = 128
    """Longest input in tokens, special tokens counted."""
    truncation: Literal["head", "tail", "head+tail"] = "head"
    """Which part of a longer text is kept."""


class Train(Settings):
    """How a model is trained."""

    epochs: Annotated[float, Field(gt=0)] = 3
    """Passes over the training rows."""
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    """Peak learning rate of AdamW."""
    batch_size: Positive = 32
    """Rows in one optimizer step, over all devices."""
    warmup: Share = 0.1
    """Share of the steps over which the learning rate rises from zero."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay of AdamW; norms and biases are left out."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are scaled down to this norm."""
    label_smoothing: Share = 0.0
    """Share of the target probability spread over all labels."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward pass: `auto` takes bf16 where the processor computes it natively."""
    checkpoint_steps: Positive | None = None
    """Steps between resumable checkpoints; if left out, at the end of an epoch, at most every 30 seconds."""


class Vocabulary(Settings):
    """A WordPiece vocabulary learned from the training rows."""

    size: Annotated[int, Field(ge=64)] = 8000
    """Number of tokens, special ones counted."""
    lowercase: bool = True
    """Fold case and strip accents, as the uncased BERT models do."""
    min_frequency: Positive = 2
    """Word pieces seen less often are left out."""


class Architecture(Settings):
    """The shape of an encoder. In a student's card, what is left out is the teacher's."""

    layers: Positive | None = None
    """Transformer layers."""
    hidden: Positive | None = None
    """Width of the hidden states."""
    heads: Positive | None = None
    """Attention heads of a layer."""
    intermediate: Positive | None = None
    """Neurons of a feed-forward block."""


class Scratch(Settings):
    """An encoder that starts from random weights with a vocabulary of its own."""

    family: str = "bert"
    """Architecture family (a row of `compress/encoders/families.py`)."""
    architecture: Architecture
    """The shape; all four numbers are needed here."""
    vocabulary: Vocabulary = Vocabulary()
    """The WordPiece vocabulary that is learned from the training rows."""
    max_positions: Positive = 512
    """Longest input the position embeddings reach."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [
            key for key in ("layers", "hidden", "heads", "intermediate") if getattr(self.architecture, key) is None
        ]
        if missing:
            raise ValueError(f"the architecture lacks {', '.join(missing)}")
        if self.architecture.hidden % self.architecture.heads:  # type: ignore[operator]
            raise ValueError("`hidden` must be a multiple of `heads`")
        return self


class Model(Settings):
    """Where pretrained weights come from. With several places, the first that is here is taken: folder, package, hub."""

    hub: str | None = None
    """Model id on the Hub."""
    revision: str | None = None
    """Commit or tag on the Hub."""
    folder: str | None = None
    """A local folder, relative to the pipeline file (or to the card)."""
    package: str | None = None
    """An installed Python package that carries the files, with the folder inside: `package_name/folder`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of `model.safetensors`; other content is refused."""
    scratch: Scratch | None = None
    """Train from random weights instead."""

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.scratch is not None:
            if self.hub or self.folder or self.package or self.sha256 or self.revision:
                raise ValueError(
                    "`scratch` starts from random weights: it goes with none of hub, folder, package, sha256"
                )
        elif not (self.hub or self.folder or self.package):
            raise ValueError("give a `hub` id, a `folder`, a `package` or `scratch`")
        if self.revision and not self.hub:
            raise ValueError("`revision` belongs to a `hub` id")
        return self


class Teacher(Settings):
    """The model the students learn from."""

    use: str
    """Name of a teacher card; `bert-large` if left out."""
    model: Model
    """Where its pretrained weights come from."""
    train: Train = Train()
    """How it is fine-tuned."""


class FurtherTeacher(Settings):
    """A teacher beside the main one; students are given its logits on the training rows, in a file or by a program if it has no weights here."""

    use: str | None = None
    """Name of a teacher card."""
    model: Model | None = None
    """Where its pretrained weights come from; its family and tokenizer may be others than the main teacher's."""
    train: Train = Train()
    """How it is fine-tuned."""
    predictions: str | None = None
    """Instead of a model: its answers, a JSONL or Parquet file of `row` (number of the training row, from 0) and `logits` or `probabilities`."""
    call: str | None = None
    """Instead of a model: an installed program that answers, by its name among the entry points `compress.teachers`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.use or self.model, self.predictions, self.call]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("give a model (a card's name under `use`, or `model`), or `predictions`, or `call`")
        if kinds[0] is None and "train" in self.model_fields_set:
            raise ValueError("`train` belongs to a model; `predictions` and `call` are answers as they are")
        return self


class Learning(Train):
    """What a student learns from its teachers, and how it is trained."""

    losses: Annotated[dict[str, Weight], Field(min_length=1)] = {"soft_label": 1.0}
    """Losses by name with their weights in the sum: numbers, or schedules such as `{from: 1, to: 0, shape: cosine}`."""
    layer_mapping: Mapping = "uniform"
    """Which teacher layer each student layer learns from: a mapping's name, or a list of layer numbers from 0 (`null`: from none)."""
    temperature: Temperature = 2.0
    """Softens the logits of the soft_label loss: a number, or a schedule such as `{from: 4, to: 1}`."""
    relation_heads: Positive | None = None
    """Relation heads of the minilm_relation loss: a divisor of both models' widths (of a layer with cut heads, the next smaller one); the largest up to 12 if left out."""
    teachers: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)] = {MAIN: 1.0}
    """Teachers whose logits are learned from, with their weights in the average: `teacher`, and names of the pipeline's `teachers`. Inner states are always those of `teacher`."""
    data: Annotated[Origins, BeforeValidator(_listed, json_schema_input_type=Origin | Origins)] | None = None
    """Rows it learns from, passed over together in each epoch: `train`, `unlabelled` (those of `task.data`), `augmented` (those of `augment`); all that the pipeline has if left out. Only `train` rows have labels."""
    fake_quantize: Rounding = False
    """`int8`: in training, and when it is validated, the student rounds weights and activations as its INT8 export by the recipe `dynamic` will; it is stored unrounded."""


def _without_defaults(schema: dict[str, Any]) -> None:
    for key in schema["properties"].values():
        key.pop("default", None)


class Phase(Learning):
    """One of several trainings, each with its own optimizer, warm-up and schedule; what it leaves out is the group's own value."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What it leaves out is no part of what it says."""
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}


class Cache(Settings):
    """Inner states of the teacher, kept on disk in half precision so that it answers each row once."""

    budget_gb: Annotated[float, Field(gt=0)]
    """Room they may take while the student is trained, in GB (10^9 bytes); if they need more, the teacher runs beside the student."""


class Distill(Learning):
    """How a student learns from its teachers."""

    phases: tuple[Phase, ...] = ()
    """Trainings one after the other, such as inner states first and answers after; one training if left out."""
    cache: Cache | None = None
    """Keep the teacher's inner states on disk, if they are read in two passes over the rows or more."""

    @property
    def trainings(self) -> tuple["Distill", ...]:
        """The trainings, one after the other, each whole by itself."""
        own = self.model_copy(update={"phases": ()})
        changes = [{key: getattr(phase, key) for key in phase.model_fields_set} for phase in self.phases]
        return tuple(own.model_copy(update=change) for change in changes) or (own,)

    def origins(self, there: tuple[Origin, ...]) -> tuple[Origin, ...]:
        """Where the rows of all its trainings come from, of what the pipeline has."""
        asked = {origin for each in self.trainings for origin in each.data or there}
        return tuple(origin for origin in there if origin in asked)

    @property
    def named(self) -> dict[str, str]:
        """The losses that are learned from, each by its key below `distill`."""
        parts = [
            f"phases.{number}." if "losses" in phase.model_fields_set else ""
            for number, phase in enumerate(self.phases)
        ]
        each = zip(parts or [""], self.trainings, strict=True)
        return {f"{part}losses.{name}": name for part, training in each for name in training.losses}

    @property
    def advisers(self) -> tuple[str, ...]:
        """The names of the further teachers that it learns from."""
        return tuple(dict.fromkeys(name for each in self.trainings for name in each.teachers if name != MAIN))


class Recover(Train):
    """Training after the cut; losses, mapping, temperature, relation heads, teachers and data are those of the student's `distill`, of its last phase if it has several."""

    epochs: Annotated[float, Field(gt=0)] = 1
    """Passes over the training rows."""
    fake_quantize: Rounding | None = None
    """As in `distill`; what that, or its last phase, says if left out."""


class Between(Train):
    """Training between two cuts; learned is what the recovery learns."""

    epochs: Annotated[float, Field(gt=0)] = 0.5
    """Passes over the training rows, after each cut but the last."""


def _sized(value: Any) -> Any:
    """A bare number stands for the size."""
    return {"size": value} if isinstance(value, int) and not isinstance(value, bool) else value


class KeptTokens(Settings):
    """Which tokens a student keeps. Left empty: those of the rows it learned from.

    Those that any text needs to be spelled stay whatever is asked: special tokens and the smallest pieces, single
    characters or bytes.
    """

    size: Annotated[int, Field(ge=64)] | None = None
    """Number of tokens kept: those that any text needs, then the most frequent ones of the rows it learned from."""
    min_frequency: Positive | None = None
    """Tokens that are seen less often in the rows it learned from go; with `size` alone, unseen ones may fill it up."""


Kept = Annotated[float, Field(gt=0, lt=1)]
TARGETED: tuple[Literal["flops", "parameters", "size_mb", "speedup"], ...] = (
    "flops",
    "parameters",
    "size_mb",
    "speedup",
)


class Target(Settings):
    """What a cut is to reach: one of `flops`, `parameters`, `size_mb` and `speedup`."""

    flops: Kept | None = None
    """Share of the floating-point operations of the encoder's layers that is kept, those inside attention included."""
    parameters: Kept | None = None
    """Share of the parameters of the encoder's layers that is kept; embeddings and heads are not counted."""
    size_mb: Annotated[float, Field(gt=0)] | None = None
    """Size of the file that is written, in MB (10^6 bytes); `on` says which."""
    speedup: Annotated[float, Field(gt=1)] | None = None
    """How many times faster than before the cut, both measured in the runtime and precision of `on`: ratio of the medians."""
    on: str | None = None
    """The export that a size or a speed-up is measured on, such as `onnxruntime-int8`."""
    batch: Positive = 1
    """Rows in one call, for a speed-up."""
    sequence: Tokens | None = None
    """Tokens of each row, for a speed-up and for FLOPs; the mean of the training rows if left out."""
    threads: Positive = 1
    """Threads the runtime may use, for a speed-up."""

    @property
    def kind(self) -> Literal["flops", "parameters", "size_mb", "speedup"]:
        """The one that is given."""
        return next(kind for kind in TARGETED if getattr(self, kind) is not None)

    @field_validator("batch", "threads", "sequence", "on")
    @classmethod
    def _read(cls, value: Any, field: ValidationInfo) -> Any:
        """A key that the target does not read."""
        readers = {"on": ("size_mb", "speedup"), "sequence": ("flops", "speedup")}.get(
            str(field.field_name), ("speedup",)
        )
        given = [kind for kind in TARGETED if field.data.get(kind) is not None]
        if len(given) == 1 and given[0] not in readers:
            raise ValueError(f"is not read with `{given[0]}`, only with {' and '.join(readers)}. Leave it out")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [kind for kind in TARGETED if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(TARGETED)}{f', not {len(given)}' if given else ''}")
        if given[0] in ("size_mb", "speedup") and self.on is None:
            raise ValueError(f"`{given[0]}` needs `on`: the export it is measured on, such as `onnxruntime-int8`")
        return self


class Prune(Settings):
    """What is cut out of a student."""

    heads: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all attention heads that is removed."""
    neurons: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of all feed-forward neurons that is removed."""
    vocabulary: Annotated[KeptTokens, BeforeValidator(_sized, json_schema_input_type=int | KeptTokens)] | None = None
    """Which tokens are kept: a number of them, `{size, min_frequency}`, or `{}` for those of the rows it learned from."""
    target: Target | None = None
    """What the cut is to reach, in place of `heads` and `neurons`: heads and neurons are chosen together for it."""
    blocks: bool = False
    """With a `target`: a layer may lose its whole attention block or its whole feed-forward block."""
    hidden: Positive | None = None
    """Hidden width kept: the states' principal directions on rows it learned from; heads keep the width they have."""
    embedding_rank: Positive | None = None
    """Rank kept of the word embeddings: their table becomes the product of two small ones."""
    importance: str = "fisher"
    """The score that decides which units go."""
    rearrange: bool = False
    """Swap units of a layer as long as the block of the Fisher information says that two together matter less."""
    refit: bool = True
    """Set the remaining output weights anew by least squares, so that each block answers as before the cut."""
    rows: Positive = 2048
    """Training rows that the score is computed on and that `refit` fits."""
    multiple: Positive = 8
    """A layer that is cut keeps a multiple of so many neurons."""
    recover: Annotated[
        Recover | None, BeforeValidator(_off, json_schema_input_type=Recover | Literal[False] | None)
    ] = Recover()
    """Training after the cut; `false`: none."""
    steps: Positive = 1
    """Cuts that the way to the asked shares or the target is gone in, most of it in the first ones; the student is trained after each."""
    between: Between = Between()
    """Training after each of several cuts but the last, which `recover` follows."""

    @property
    def units(self) -> bool:
        """Whether heads or neurons are cut."""
        return bool(self.heads or self.neurons or self.target)

    @property
    def reduces(self) -> bool:
        """Whether tokens or widths of the whole model are cut, which are chosen on the rows that were learned from."""
        return self.vocabulary is not None or self.hidden is not None or self.embedding_rank is not None

    @property
    def trains(self) -> bool:
        """Whether anything is trained, between the cuts or after them."""
        return self.recover is not None or self.steps > 1

    @field_validator("between")
    @classmethod
    def _several(cls, between: Between, info: ValidationInfo) -> Between:
        if info.data.get("steps") == 1:
            raise ValueError("is read with `steps` above 1. Leave it out, or give `steps`")
        return between

    @field_validator("target")
    @classmethod
    def _either(cls, target: Target | None, field: ValidationInfo) -> Target | None:
        if target is not None and (field.data.get("heads") or field.data.get("neurons")):
            raise ValueError("a target chooses the heads and neurons itself. Give it, or `heads` and `neurons`")
        return target

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.units and not self.reduces:
            raise ValueError(
                "nothing to cut: give a `target`, a share of `heads` or `neurons` above 0, a `vocabulary`, `hidden` or "
                "`embedding_rank`"
            )
        if self.steps > 1 and not self.units:
            raise ValueError("`steps` are cuts of heads and neurons: give a share of them, or a `target`")
        if self.blocks and self.target is None:
            raise ValueError("`blocks` is for the search of a `target`, and none is given")
        return self


def declared(unlabelled: bool, augmented: bool) -> tuple[Origin, ...]:
    """Where the rows that a student learns from come from if it does not say: everything that there is."""
    return ("train", *(("unlabelled",) if unlabelled else ()), *(("augmented",) if augmented else ()))


class Augment(Settings):
    """New rows, without labels, made from the training rows: by replacing words (Jiao et al. 2020, arXiv:1909.10351, algorithm 1) or by joining texts."""

    copies: Annotated[int, Field(ge=0)] = 2
    """New rows made from each training row by replacing words; those that come out like one there is already are left out."""
    joined: Annotated[int, Field(ge=0)] = 0
    """New rows in all that are the texts of two training rows, drawn at random, one after the other: for training texts that are shorter than those to come."""
    replace: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Probability that a word is replaced."""
    candidates: Positive = 15
    """Words that a replacement is drawn from: the most likely, or the nearest ones."""
    masked_lm: Model | None = None
    """A masked language model, such as `{hub: bert-base-uncased}`, that proposes words which fit their place. Without it, and for words of several pieces, those of the training rows with the nearest embeddings are taken; the embeddings are this model's, else the teacher's."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.copies and not self.joined:
            raise ValueError("makes no rows: give `copies`, `joined` or both")
        if not self.copies and self.model_fields_set & {"replace", "candidates", "masked_lm"}:
            raise ValueError(
                "`replace`, `candidates` and `masked_lm` say how words are replaced, and `copies: 0` replaces none"
            )
        return self


class StudentMaking(Settings):
    """How a student is made from its teacher: what a card says and a pipeline may override."""

    model: Model | None = None
    """Pretrained weights the student starts from, instead of the teacher's."""
    architecture: Architecture = Architecture()
    """The student's shape; what is left out is the teacher's. Weights of its own keep theirs."""
    start: Literal["auto", "layers", "pca", "random"] = "auto"
    """First weights: copied teacher layers, their PCA/SVD projection (narrower students), or random ones; `auto` fits the shape."""
    start_layers: Start | None = None
    """Teacher layers (from 0) the first weights are taken from; evenly spread if left out. `measured`: those that answer best as they are."""
    distill: Distill = Distill()
    """How it learns."""


class Student(StudentMaking):
    """A smaller model distilled from the teacher."""

    use: str
    """Name of a student card."""
    prune: Prune | None = None
    """What is cut out of it afterwards."""


class Export(Settings):
    """One deployment target and the precisions it is built in."""

    target: str
    """Name of the target."""
    precision: Annotated[Texts, BeforeValidator(_listed, json_schema_input_type=str | Texts)]
    """Number formats, such as `[fp32, fp16, int8]`; the target says which it knows."""
    recipe: str | None = None
    """Quantization recipe for the integer precisions; the target's own choice if left out."""
    calibration_rows: Positive = 128
    """Training rows a static recipe is calibrated on."""

    @property
    def id(self) -> str:
        """The name of this export in a run: the target, with the recipe if one is asked for."""
        return f"{self.target}-{self.recipe}" if self.recipe else self.target


class Measure(Settings):
    """What is timed, and how."""

    batch: Annotated[Counts, BeforeValidator(_listed, json_schema_input_type=Positive | Counts)] = (1, 8)
    """Rows in one call."""
    sequence: Annotated[Lengths, BeforeValidator(_listed, json_schema_input_type=Tokens | Lengths)] = (16, 64)
    """Tokens of each row."""
    threads: Positive = 1
    """Threads each runtime may use."""
    rounds: Annotated[int, Field(ge=3)] = 30
    """Interleaved rounds: in each, every variant is timed once, in a new order."""


class AccuracyGate(Settings):
    """How much accuracy must be left."""

    keep: Share | None = None
    """Smallest share of the teacher's metric that a student keeps."""
    max_drop: Share = 0.01
    """Largest drop of the metric below the baseline report's."""
    on: str | None = None
    """The export that is judged, such as `onnxruntime-int8`; every export if left out."""


class LatencyGate(Settings):
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


class SizeGate(Settings):
    """How large a student's file may be."""

    max_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest size in MB (10^6 bytes)."""
    max_ratio: Annotated[float, Field(ge=1)] = 1.02
    """Largest ratio to the baseline report's size."""
    on: str | None = None
    """The export that is judged; every export if left out."""


class Gate(Settings):
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


class Pipeline(Settings):
    """A whole pipeline file, its cards filled in."""

    name: Name
    """Name of the run: its folder below `runs/` and its report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of everything random."""
    task: Task
    """What the models are to do."""
    teacher: Teacher
    """The model the students learn from."""
    teachers: dict[TeacherName, FurtherTeacher] = {}
    """Further teachers by name, for students whose `distill.teachers` lists them."""
    augment: Augment | None = None
    """New rows for students to learn from; none are made if left out."""
    students: Annotated[dict[StudentName, Student], Field(min_length=1)]
    """The smaller models, by name."""
    export: tuple[Export, ...] = ()
    """Deployment targets; the teacher is exported too, in float, to compare with (for `pytorch` it is measured as it is)."""
    measure: Measure = Measure()
    """What is timed."""
    gate: Gate = Gate()
    """What must hold."""
    tensorboard: bool = False
    """Write training curves for TensorBoard to `runs/NAME/tensorboard`."""
