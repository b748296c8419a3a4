"""Cut tokens, hidden dimensions, word embeddings, heads and neurons out of a student, and let it recover."""

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.config import settings
from compress.data.batches import collate
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.encoders.families import family_of
from compress.encoders.family import uncut
from compress.encoders.modules import embeddings
from compress.encoders.reduction import factored, narrowed
from compress.encoders.surgery import Masks
from compress.encoders.widths import shape_of
from compress.errors import CompressError, InputError, Problem
from compress.files import write_json
from compress.stages.context import Context
from compress.stages.cut import BATCH, Cuts
from compress.stages.learn import PASSES, learn
from compress.stages.lesson import Reader, lesson
from compress.stages.material import as_read, called, labels_of, tokenizer_of, write
from compress.stages.start import mapped_to_start
from compress.stages.transfer import transfer
from compress.stages.vocabulary import fewer_tokens
from compress.stages.voices import voices
from compress.training.history import History

STRUCTURE = "structure.json"
_NARROWING_ROWS = 1024

Again = Callable[[PreTrainedModel], PreTrainedModel]
"""Cuts a student once more."""
Training = Callable[[PreTrainedModel, Again | None], History]
"""Trains a student after its cut; after the other ones, if there are several, what they leave."""


class Settings(NamedTuple):
    """What is cut, and how the student recovers."""

    task: settings.Task
    student: settings.Student
    teachers: Mapping[str, settings.FurtherTeacher] = MappingProxyType({})


class Needs(NamedTuple):
    """The distilled student; where it is trained after a cut the fine-tuned teacher, and further ones by the steps that
    made them; and the augmented rows if there are some."""

    student: Path
    teacher: Path | None = None
    teachers: Mapping[str, Path] = MappingProxyType({})
    augmented: Path | None = None


def prune(settings: Settings, needs: Needs, context: Context) -> None:
    """Drop tokens, narrow the student, cut its least important heads and neurons for real, fit and train the rest.

    Heads and neurons may go in several cuts, with training between them; the rest is made smaller before the first.
    Writes a model folder with its tokenizer, `history.json` and `structure.json`: what is left of each layer and of the
    widths of the whole model, the shares that were asked for and removed or the target that was asked for and reached,
    and the tokens that are left.
    Raises: InputError, before any training, if what can be cut misses the asked shares by more than rounding does, or if
    the target is out of reach.
    """
    asked = settings.student.prune
    if asked is None:
        raise CompressError(f"{context.name}: the pipeline asks for no pruning.")
    student = checkpoint.load(needs.student)
    if what := uncut(family_of(student)):
        raise InputError([Problem(_key(context), what)])
    own, vocabulary = Reader(student, tokenizer_of(needs.student)), None
    learned = None
    if asked.reduces:
        learned = transfer(settings.task, settings.student.distill, needs.augmented, context.root).rows
    if asked.vocabulary is not None and learned is not None:
        whole = Reader(copy.deepcopy(student), own.tokenizer)
        own, vocabulary = fewer_tokens(whole, asked.vocabulary, learned, settings.task, context)
    train = _training(settings, asked, needs, own, context)
    if learned is not None:
        own = _narrowed(own, learned, settings.task, asked, context)
    cuts = None
    if asked.units:
        cuts = Cuts(student, own, settings.task, asked, _key(context), context)
    smaller, history = _smaller(own.model, cuts, train)
    write(context.out, smaller, own.tokenizer, history)
    structure, target = _structure(student, smaller, asked), None if cuts is None else cuts.target
    write_json(context.out / STRUCTURE, {**structure, "target": target, "vocabulary": vocabulary})


def _smaller(student: PreTrainedModel, cuts: Cuts | None, train: Training | None) -> tuple[PreTrainedModel, History]:
    """The student after all its cuts and trainings, and how the trainings went."""
    history = History(steps=0, rows=0, tokens=0, seconds=0.0, precision="fp32")
    if cuts is None:
        return student, history if train is None else train(student, None)
    cuts.again(student)
    if train is not None:
        history = train(cuts.student, cuts.again)
    while cuts.left:  # nothing is trained after the last one
        cuts.again(cuts.student)
    return cuts.student, history


def _key(context: Context) -> str:
    return f"students.{context.name.partition('/')[2]}.prune"


def _narrowed(own: Reader, learned: Rows, task: settings.Task, asked: settings.Prune, context: Context) -> Reader:
    """The student with fewer hidden dimensions and word embeddings of a lower rank, as far as they are asked for; both
    are chosen on the rows it learned from."""
    if asked.hidden is None and asked.embedding_rank is None:
        return own
    student, tokenizer = own
    rows = as_read(learned, task, tokenizer, student, called(context))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(context.seed)).tolist()[:_NARROWING_ROWS]
    taken = family_of(student).inputs

    def batches() -> Iterator[dict[str, Tensor]]:  # in a random order: only as many as fit are looked at
        for begin in range(0, len(order), BATCH):
            batch = collate([rows[row] for row in order[begin : begin + BATCH]], rows.pad_id, left=rows.left)
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


def _training(
    settings: Settings,
    asked: settings.Prune,
    needs: Needs,
    own: Reader,
    context: Context,
) -> Training | None:
    """What trains the student after a cut, with all that it needs; None if nothing is to be trained.

    Raises: InputError with all that does not fit
    """
    how = _learning(settings.student.distill, asked)
    if how is None:
        return None
    if needs.teacher is None:
        raise CompressError(f"{context.name}: a student is trained after a cut, and no teacher was given.")
    teacher = checkpoint.load(needs.teacher)
    how = mapped_to_start(how, own.model, teacher, needs.student)
    learned = transfer(settings.task, how, needs.augmented, context.root)
    read = lesson(settings.task, learned, own, Reader(teacher, tokenizer_of(needs.teacher)), how, context)
    others = voices(how, settings.teachers, needs.teachers, settings.task, learned, labels_of(teacher), context)
    return lambda smaller, again: learn(smaller, teacher, read, how, context, others, again)


def _learning(distill: settings.Distill, asked: settings.Prune) -> settings.Distill | None:
    """What the student learned last, by the settings of the trainings after the cuts: a phase before it prepared what is there."""
    after = [asked.between] * (asked.steps - 1) + ([asked.recover] if asked.recover is not None else [])
    if not after:
        return None
    kept = {"losses", "layer_mapping", "temperature", "relation_heads", "teachers", "data", "fake_quantize"}
    if sum(training.epochs for training in after) >= PASSES:
        kept.add("cache")
    own = distill.trainings[-1].model_dump(include=kept, by_alias=True)
    each = [own | training.model_dump(exclude_none=True) for training in after]
    phases = tuple(settings.Phase(**{key: one[key] for key in one if key != "cache"}) for one in each)
    return settings.Distill(**each[-1], phases=phases if len(phases) > 1 else ())


def _structure(before: PreTrainedModel, after: PreTrainedModel, asked: settings.Prune) -> dict[str, object]:
    whole, left = shape_of(before.config), shape_of(after.config)
    return {
        "layers": [
            {"heads": heads, "neurons": neurons} for heads, neurons in zip(left.heads, left.intermediate, strict=True)
        ],
        "of": {"heads": whole.heads[0], "neurons": whole.intermediate[0]},
        "shares": _shares(before, after, asked),
        "widths": _widths(before, after),
    }


def _shares(
    before: PreTrainedModel, after: PreTrainedModel, asked: settings.Prune
) -> dict[str, dict[str, float | None]]:
    """Of all heads and of all neurons the share that was asked for, if one was, and the one that is gone."""
    whole, left = Masks.full(before), Masks.full(after)
    return {
        kind: {
            "asked": getattr(asked, kind) if asked.target is None else None,
            "removed": 1 - sum(map(len, getattr(left, kind))) / sum(map(len, getattr(whole, kind))),
        }
        for kind in ("heads", "neurons")
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
