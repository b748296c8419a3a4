"""Cut tokens, hidden dimensions, word embeddings, heads and neurons out of a student, and let it recover."""

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.config import settings
from compress.data.batches import Encoded, collate, feeds
from compress.encoders import checkpoint
from compress.encoders.families import embeddings, family_of, shape_of
from compress.encoders.reduction import factored, narrowed
from compress.encoders.surgery import Masks, cut
from compress.errors import CompressError, InputError, Problem
from compress.files import write_json
from compress.pruning.rearrange import rearrange
from compress.pruning.refit import refit
from compress.pruning.scores import unit_gradients, unit_scores
from compress.pruning.search import Choice, choose
from compress.pruning.shares import missed, refusal
from compress.quantization import Feeds
from compress.stages.budget import Aim, aimed
from compress.stages.context import Context
from compress.stages.learn import PASSES, learn
from compress.stages.lesson import Reader, lesson
from compress.stages.material import called, encoded, labels_of, tokenizer_of, write
from compress.stages.start import mapped_to_start
from compress.stages.transfer import transfer
from compress.stages.vocabulary import fewer_tokens
from compress.stages.voices import voices
from compress.training.history import History

STRUCTURE = "structure.json"
_BATCH = 32
_CALIBRATION_BATCH = 8
_CALIBRATION_ROWS = settings.Export.model_fields["calibration_rows"].default
_NARROWING_ROWS = 1024


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
    """Drop tokens, narrow the student, cut its least important heads and neurons for real, fit and train the rest.

    Writes a model folder with its tokenizer, `history.json` and `structure.json`: what is left of each layer and of the
    widths of the whole model, the shares that were asked for and removed or the target that was asked for and reached,
    and the tokens that are left.
    Raises: InputError, before the recovery, if what can be cut misses the asked shares by more than rounding does, or if
    the target is out of reach.
    """
    asked = settings.student.prune
    if asked is None:
        raise CompressError(f"{context.name}: the pipeline asks for no pruning.")
    teacher, student = checkpoint.load(needs.teacher), checkpoint.load(needs.student)
    own, vocabulary = Reader(student, tokenizer_of(needs.student)), None
    if asked.vocabulary is not None:
        whole = Reader(copy.deepcopy(student), own.tokenizer)
        own, vocabulary = fewer_tokens(whole, asked.vocabulary, settings.task, context)
    train = None if asked.recover is None else _recovering(settings, asked.recover, needs, teacher, own, context)
    own = _narrowed(own, settings.task, asked, context)
    smaller, target = own.model, None
    if asked.heads or asked.neurons or asked.target:
        smaller, target = _cut(student, own, settings.task, asked, context)
    shares = _shares(student, smaller, asked, _key(context))
    history = History(steps=0, rows=0, tokens=0, seconds=0.0, precision="fp32")
    if train is not None:
        history = train(smaller)
    write(context.out, smaller, own.tokenizer, history)
    structure = _structure(student, smaller, shares)
    write_json(context.out / STRUCTURE, {**structure, "target": target, "vocabulary": vocabulary})


def _key(context: Context) -> str:
    return f"students.{context.name.partition('/')[2]}.prune"


def _narrowed(own: Reader, task: settings.Task, asked: settings.Prune, context: Context) -> Reader:
    """The student with fewer hidden dimensions and word embeddings of a lower rank, as far as they are asked for."""
    if asked.hidden is None and asked.embedding_rank is None:
        return own
    student, tokenizer = own
    rows = encoded("train", task, context.root, tokenizer, student, called(context))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(context.seed)).tolist()[:_NARROWING_ROWS]
    taken = family_of(student).inputs

    def batches() -> Iterator[dict[str, Tensor]]:  # in a random order: only as many as fit are looked at
        for begin in range(0, len(order), _BATCH):
            batch = collate([rows[row] for row in order[begin : begin + _BATCH]], rows.pad_id)
            yield {name: values for name, values in batch.items() if name in taken}

    where = "hidden"
    try:
        if asked.hidden is not None:
            student = narrowed(student, asked.hidden, batches())
        where = "embedding_rank"
        if asked.embedding_rank is not None:
            seen = torch.bincount(torch.from_numpy(rows.ids).long(), minlength=student.config.vocab_size)
            student = factored(student, asked.embedding_rank, seen, batches())
    except InputError as error:
        key = f"{_key(context)}.{where}"
        raise InputError([Problem(key, str(error))]) from error
    return own._replace(model=student)


def _cut(
    before: PreTrainedModel, own: Reader, task: settings.Task, asked: settings.Prune, context: Context
) -> tuple[PreTrainedModel, dict[str, Any] | None]:
    """The cut student, and what it reached of a target; `before` is the student with all its tokens."""
    student, tokenizer = own
    rows = encoded("train", task, context.root, tokenizer, student, called(context))
    batches = _batches(rows, asked.rows, context.seed)
    context.notify(0, 1, f"scoring heads and neurons by {asked.importance}")
    scores = unit_scores(student, batches, asked.importance, seed=context.seed)
    target = None
    if asked.target is not None:
        calibration = partial(_calibration, rows)
        aim = Aim(asked, calibration, float(rows.lengths.mean()), f"{_key(context)}.target")
        choice, target = aimed(before, student, scores, aim, context)
    else:
        choice = choose(scores.heads, scores.neurons, heads=asked.heads, neurons=asked.neurons, multiple=asked.multiple)
    if asked.rearrange:
        choice = _rearranged(student, batches, choice)
    smaller = cut(student, Masks(choice.heads, choice.neurons))
    if asked.refit:
        refit(smaller, student, batches, told=lambda done, total: context.notify(done, total, "fitting layers"))
    return smaller, target


def _calibration(rows: Encoded) -> Iterator[Feeds]:
    """Batches for a recipe that needs them, as many as an export takes."""
    return (feed for _, feed in feeds(rows, _CALIBRATION_BATCH, limit=_CALIBRATION_ROWS))


def _batches(rows: Encoded, count: int, seed: int) -> list[dict[str, Tensor]]:
    """So many of the rows, by chance; rows of like length come together: half the time."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    order.sort(key=rows.lengths.tolist().__getitem__)
    return [
        collate([rows[row] for row in order[begin : begin + _BATCH]], rows.pad_id)
        for begin in range(0, len(order), _BATCH)
    ]


def _rearranged(student: PreTrainedModel, batches: list[dict[str, Tensor]], choice: Choice) -> Choice:
    found = unit_gradients(student, batches)
    return Choice(*(tuple(map(rearrange, *pair)) for pair in zip(found, choice, strict=True)))


def _recovering(
    settings: Settings,
    recover: settings.Recover,
    needs: Needs,
    teacher: PreTrainedModel,
    own: Reader,
    context: Context,
) -> Callable[[PreTrainedModel], History]:
    """What trains the student after the cut, with all that it needs.

    Raises: InputError with all that does not fit
    """
    how = mapped_to_start(_recovery(settings.student.distill, recover), own.model, teacher, needs.student)
    learned = transfer(settings.task, how, needs.augmented, context.root)
    read = lesson(settings.task, learned, own, Reader(teacher, tokenizer_of(needs.teacher)), how, context)
    others = voices(how, settings.teachers, needs.teachers, settings.task, learned, labels_of(teacher), context)
    return lambda smaller: learn(smaller, teacher, read, how, context, others)


def _recovery(distill: settings.Distill, recover: settings.Recover) -> settings.Distill:
    """What the student learned last, by the recovery's training settings: a phase before it prepared what is there."""
    kept = {"losses", "layer_mapping", "temperature", "relation_heads", "teachers", "data", "fake_quantize"}
    if recover.epochs >= PASSES:
        kept.add("cache")
    own = distill.trainings[-1].model_dump(include=kept, by_alias=True)
    return settings.Distill(**own | recover.model_dump(exclude_none=True))


def _shares(
    before: PreTrainedModel, after: PreTrainedModel, asked: settings.Prune, key: str
) -> dict[str, dict[str, float | None]]:
    """Of all heads and of all neurons the share that was asked for, if one was, and the one that is gone.

    Raises: InputError if the two lie further apart than rounding explains.
    """
    whole, left = Masks.full(before), Masks.full(after)
    shares, faults = {}, []
    for kind in ("heads", "neurons"):
        units = sum(map(len, getattr(whole, kind)))
        wanted, removed = getattr(asked, kind), 1 - sum(map(len, getattr(left, kind))) / units
        shares[kind] = {"asked": wanted if asked.target is None else None, "removed": removed}
        if asked.target is None and missed(wanted, removed, units):
            faults.append(Problem(f"{key}.{kind}", refusal(kind, wanted, removed, asked.multiple)))
    if faults:
        raise InputError(faults)
    return shares


def _structure(
    before: PreTrainedModel, after: PreTrainedModel, shares: dict[str, dict[str, float | None]]
) -> dict[str, object]:
    whole, left = shape_of(before.config), shape_of(after.config)
    return {
        "layers": [
            {"heads": heads, "neurons": neurons} for heads, neurons in zip(left.heads, left.intermediate, strict=True)
        ],
        "of": {"heads": whole.heads[0], "neurons": whole.intermediate[0]},
        "shares": shares,
        "widths": _widths(before, after),
    }


def _widths(before: PreTrainedModel, after: PreTrainedModel) -> dict[str, dict[str, int]]:
    """Those widths of the whole model that were cut, before and after."""
    pairs = {
        "hidden": (shape_of(before.config).hidden, shape_of(after.config).hidden),
        "embedding_rank": (embeddings(before).word.embedding_dim, embeddings(after).word.embedding_dim),
    }
    if pairs["hidden"] == pairs["embedding_rank"]:  # the table only follows
        del pairs["embedding_rank"]
    return {name: {"before": was, "after": now} for name, (was, now) in pairs.items() if was != now}
