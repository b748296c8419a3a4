"""Cut heads and neurons out of a student, and let it recover."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate, encode
from compress.encoders import checkpoint
from compress.encoders.families import shape_of
from compress.encoders.surgery import Masks, cut
from compress.errors import CompressError, InputError, Problem
from compress.files import write_json
from compress.pruning.scores import unit_scores
from compress.pruning.search import choose
from compress.pruning.shares import missed, refusal
from compress.stages.context import Context
from compress.stages.learn import learn
from compress.stages.material import encoded, labels_of, tokenizer_of, write
from compress.stages.start import mapped_to_start
from compress.stages.transfer import transfer
from compress.stages.voices import voices

STRUCTURE = "structure.json"
_BATCH = 32


class Settings(NamedTuple):
    """What is cut, and how the student recovers."""

    task: settings.Task
    student: settings.Student
    teachers: Mapping[str, settings.FurtherTeacher] = MappingProxyType({})


class Needs(NamedTuple):
    """The fine-tuned teacher, the distilled student, further teachers by the steps that made them, and augmented rows."""

    teacher: Path
    student: Path
    teachers: Mapping[str, Path] = MappingProxyType({})
    augmented: Path | None = None


def prune(settings: Settings, needs: Needs, context: Context) -> None:
    """Score the student's heads and neurons, cut the least important ones for real, train what is left.

    Writes a model folder with its tokenizer, `history.json` and `structure.json`: what is left of each layer, and the
    shares that were asked for and removed.
    Raises: InputError, before the recovery, if what can be cut misses the asked shares by more than rounding does.
    """
    asked = settings.student.prune
    if asked is None:
        raise CompressError(f"{context.name}: the pipeline asks for no pruning.")
    teacher, student = checkpoint.load(needs.teacher), checkpoint.load(needs.student)
    tokenizer = tokenizer_of(needs.student)
    rows = encoded("train", settings.task, context.root, tokenizer, teacher, "the teacher")
    validation = encoded("validation", settings.task, context.root, tokenizer, teacher, "the teacher")
    learning = mapped_to_start(_recovery(settings.student.distill, asked.recover), student, teacher, needs.student)
    learned = transfer(settings.task, learning, needs.augmented, context.root)
    others = voices(
        learning, settings.teachers, needs.teachers, settings.task, learned.rows, labels_of(teacher), context
    )
    smaller = _cut(student, rows, asked, context.seed)
    shares = _shares(student, smaller, asked, f"students.{context.name.partition('/')[2]}.prune")
    whole = encode(learned.rows, tokenizer, settings.task, token_types=rows.types is not None)
    history = learn(smaller, teacher, whole, validation, learning, context, others, learned.parts)
    write(context.out, smaller, tokenizer, history)
    write_json(context.out / STRUCTURE, _structure(student, smaller, shares))


def _cut(student: PreTrainedModel, rows: Encoded, asked: settings.Prune, seed: int) -> PreTrainedModel:
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: asked.rows].tolist()
    order.sort(key=rows.lengths.tolist().__getitem__)  # rows of like length together: half the time
    batches = (
        collate([rows[row] for row in order[begin : begin + _BATCH]], rows.pad_id)
        for begin in range(0, len(order), _BATCH)
    )
    scores = unit_scores(student, batches, asked.importance)
    choice = choose(scores.heads, scores.neurons, heads=asked.heads, neurons=asked.neurons, multiple=asked.multiple)
    return cut(student, Masks(choice.heads, choice.neurons))


def _recovery(distill: settings.Distill, recover: settings.Recover) -> settings.Distill:
    """What the student learned last, by the recovery's training settings: a phase before it prepared what is there."""
    kept = {"losses", "layer_mapping", "temperature", "relation_heads", "teachers", "data", "cache"}
    own = distill.trainings[-1].model_dump(include=kept, by_alias=True)
    return settings.Distill(**own, **recover.model_dump())


def _shares(
    before: PreTrainedModel, after: PreTrainedModel, asked: settings.Prune, key: str
) -> dict[str, dict[str, float]]:
    """Of all heads and of all neurons the share that was asked for and the one that is gone.

    Raises: InputError if the two lie further apart than rounding explains.
    """
    whole, left = Masks.full(before), Masks.full(after)
    shares, faults = {}, []
    for kind in ("heads", "neurons"):
        units = sum(map(len, getattr(whole, kind)))
        wanted, removed = getattr(asked, kind), 1 - sum(map(len, getattr(left, kind))) / units
        shares[kind] = {"asked": wanted, "removed": removed}
        if missed(wanted, removed, units):
            faults.append(Problem(f"{key}.{kind}", refusal(kind, wanted, removed, asked.multiple)))
    if faults:
        raise InputError(faults)
    return shares


def _structure(
    before: PreTrainedModel, after: PreTrainedModel, shares: dict[str, dict[str, float]]
) -> dict[str, object]:
    whole, left = shape_of(before.config), shape_of(after.config)
    return {
        "layers": [
            {"heads": heads, "neurons": neurons} for heads, neurons in zip(left.heads, left.intermediate, strict=True)
        ],
        "of": {"heads": whole.heads[0], "neurons": whole.intermediate[0]},
        "shares": shares,
    }
