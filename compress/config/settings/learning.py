"""How a model is trained, and what a student learns from."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from compress.config.group import Closed, Positive, Share
from compress.config.layers import Mapping
from compress.config.schedule import Temperature, Weight
from compress.config.settings.names import MAIN, listed

Origin = Literal["train", "unlabelled", "augmented"]
"""Where rows that a student learns from come from."""
Origins = Annotated[tuple[Origin, ...], Field(min_length=1)]
Rounding = Literal["int8", False]
"""Whose rounding a student computes with in training, if any."""


def declared(unlabelled: bool, augmented: bool) -> tuple[Origin, ...]:
    """Where the rows that a student learns from come from if it does not say: everything that there is."""
    return ("train", *(("unlabelled",) if unlabelled else ()), *(("augmented",) if augmented else ()))


class Train(Closed):
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
    """Steps between resumable checkpoints; if left out, at the end of an epoch, at most every 30 seconds, and in one every
    ten minutes."""


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
    data: Annotated[Origins, BeforeValidator(listed, json_schema_input_type=Origin | Origins)] | None = None
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


class Cache(Closed):
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
