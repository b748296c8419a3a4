"""Which layers of its teacher a student starts from, and what is recorded of it: `start.json` in the student's folder."""

from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import PreTrainedModel

from compress.config.settings import Distill, Student
from compress.data.batches import Encoded
from compress.encoders.start import evenly
from compress.encoders.widths import calls
from compress.errors import InputError
from compress.files import read_json, write_json
from compress.registry import MAPPINGS
from compress.stages.context import Context
from compress.store import seal
from compress.training import subsets
from compress.training.devices import first_alone, place
from compress.training.precision import chosen

START = "start.json"


@dataclass(frozen=True)
class Started:
    """What `start.json` says."""

    layers: list[int]
    """The teacher layer (from 0) that each student layer started from."""
    measured: list[dict[str, object]] | None = None
    """The choices of layers that were measured, the best first: `layers`, `accuracy`, `loss`."""
    rows: int | None = None
    """Validation rows they were measured on."""


def start_layers(
    student: Student, count: int, teacher: PreTrainedModel, validation: Encoded, context: Context
) -> tuple[int, ...]:
    """The teacher layers that a student of so many layers starts from; writes `start.json`.

    Layers that are measured are found once: the work folder keeps them for when the stage goes on after an interruption.
    Raises: InputError if they are to be measured and there is nothing to choose from
    """
    if student.start_layers != "measured":
        listed = student.start_layers or evenly(count, calls(teacher.config))
        write_json(context.out / START, {"layers": list(listed)})
        return tuple(listed)
    kept = context.work / f"start{seal.SUFFIX}"
    with first_alone():
        if seal.kept(kept, context.notify) is None:
            seal.write(kept, {"start": asdict(_measured(count, teacher, validation, student.distill, context))})
    found = seal.content(kept)["start"]
    write_json(context.out / START, found)
    return tuple(found["layers"])


def _measured(count: int, teacher: PreTrainedModel, validation: Encoded, distill: Distill, context: Context) -> Started:
    here, before = place().device, teacher.device
    precision = chosen(distill.precision, here)
    try:
        teacher.to(here)
        found = subsets.measured(
            teacher, validation, count, precision=precision, seed=context.seed, notify=context.notify
        )
    finally:
        teacher.to(before)  # type: ignore[arg-type]
    best, asked = found[0], min(len(validation), subsets.ROWS)
    listed = ", ".join(map(str, best.layers))
    context.notify(
        0, 0, f"starts from layers {listed}: untrained, {best.accuracy:.1%} of {asked:,} validation rows are right"
    )
    table = [{"layers": list(score.layers), "accuracy": score.accuracy, "loss": score.loss} for score in found]
    return Started(list(best.layers), table, asked)


def mapped_to_start(distill: Distill, student: PreTrainedModel, teacher: PreTrainedModel, folder: Path) -> Distill:
    """The settings with `layer_mapping: start` as the layers that the `start.json` in a folder names.

    Raises: InputError if there is none
    """
    groups = (distill, *distill.phases)
    if all(group.layer_mapping != "start" for group in groups):
        return distill
    path = folder / START
    if not path.is_file():
        raise InputError("layer_mapping: `start` needs a student that starts from its teacher's layers.")
    rule = MAPPINGS.load("start")
    named = {"layer_mapping": rule(calls(student.config), calls(teacher.config), layers=read_json(path)["layers"])}
    phases = tuple(
        phase.model_copy(update=named) if phase.layer_mapping == "start" else phase for phase in distill.phases
    )
    own = named if distill.layer_mapping == "start" else {}
    return distill.model_copy(update={**own, "phases": phases})
