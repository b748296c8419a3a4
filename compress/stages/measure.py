"""Measure every exported model beside the teacher: accuracy on the whole test split, latency, size, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from compress import registry
from compress.bench import machine, memory
from compress.config import settings
from compress.data import sources
from compress.data.batches import Encoded, encode
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.encoders.families import family_of, stored
from compress.files import read_json, write_json
from compress.report.packing import pack
from compress.report.variant import TEACHER
from compress.stages.answers import Answers, answers
from compress.stages.candidate import Candidate, candidates
from compress.stages.context import Context
from compress.stages.latency import latency, shaped, shapes
from compress.stages.material import labels_of, tokenizer_of
from compress.stages.progress import Progress
from compress.statistics.calibration_error import calibration_error
from compress.statistics.divergence import divergence

MEASUREMENTS = "measurements.json"
SURE = 65_535
"""What a probability of 1 is packed as."""


class Settings(NamedTuple):
    """What is measured, and how."""

    task: settings.Task
    measure: settings.Measure


class Needs(NamedTuple):
    """The teacher's checkpoint, and the exported folders by the steps that made them."""

    teacher: Path
    exports: Mapping[str, Path]


def measure(settings: Settings, needs: Needs, context: Context) -> None:
    """Answer every test row with every export and with the teacher in PyTorch, then time them in interleaved rounds.

    Writes `measurements.json`: the machine, the rows, and one entry a variant as the report's record has them.
    Raises: NotFinite for a model that gives NaN or infinite logits
    """
    found = list(candidates(needs.teacher, needs.exports))
    idle = {one.id: registry.TARGETS.load(one.target).unrunnable(one.precision) for one in found}
    chosen = [candidate for candidate in found if idle[candidate.id] is None]
    model = checkpoint.load(needs.teacher)
    task, asked = settings.task, settings.measure
    labels, parameters = labels_of(model), checkpoint.parameters(model)
    del model
    splits = _splits(task, context.root)
    read = _read(chosen, splits["test"], task)
    gold = read[TEACHER].labels
    progress = Progress(context.notify, 2 * len(chosen) + len(shapes(asked)) + 1)
    variants: list[dict[str, Any]] = []
    reference: Answers | None = None
    for candidate in chosen:
        rows = read[candidate.model]
        said = answers(candidate, rows, task, context, progress.within(f"{candidate.id}: accuracy"))
        reference = said if reference is None else reference
        progress(f"{candidate.id}: accuracy")
        samples = [shaped(rows, *shape, context.seed) for shape in shapes(asked)]
        peak = memory.peak_bytes(candidate.target, candidate.file, candidate.settings, samples, asked.threads)
        progress(f"{candidate.id}: memory")
        judged = _judged(task, said, reference, gold, context.seed)
        variants.append({**candidate.described(parameters), **judged, "peak_memory_bytes": peak})
    for variant, cells in zip(variants, latency(chosen, read, asked, context.seed, progress), strict=True):
        variant |= cells
    write_json(
        context.out / MEASUREMENTS,
        {
            "machine": asdict(machine.describe()),
            "labels": labels,
            "data": _data(splits, sources.digest(task, context.root)),
            "gold": pack(gold),
            "lengths": pack(read[TEACHER].lengths),
            "sureness": _sureness(reference),
            "variants": variants,
            "unmeasured": [
                {
                    "model": candidate.model,
                    "id": candidate.export,
                    "size_bytes": candidate.facts["size_bytes"],
                    "reason": idle[candidate.id],
                }
                for candidate in found
                if idle[candidate.id] is not None and candidate.facts.get("asked", True)
            ],
        },
    )


def _splits(task: settings.Task, root: Path) -> dict[sources.Split, Rows]:
    """The rows that models learned from and are judged on."""
    named = (*sources.SPLITS, *(("unlabelled",) if task.data.unlabelled is not None else ()))
    return {split: sources.load(task, root, split) for split in named}


def _data(splits: Mapping[sources.Split, Rows], digests: Mapping[str, str]) -> dict[str, Any]:
    """What the report says of the rows."""
    learned = sources.joined([rows for split, rows in splits.items() if split in ("train", "unlabelled")])
    return {
        **{split: {"rows": len(rows), "sha256": digests[split]} for split, rows in splits.items()},
        "duplicates": sources.duplicates(learned, splits["test"]),
    }


def _read(chosen: Sequence[Candidate], rows: Rows, task: settings.Task) -> dict[str, Encoded]:
    """The rows as each model reads them, by its own tokenizer; with token types, which sessions may leave aside."""
    folders = {candidate.model: candidate.folder for candidate in chosen}
    return {
        model: encode(rows, tokenizer_of(folder), task, token_types=True, left=_left(folder))
        for model, folder in folders.items()
    }


def _left(folder: Path) -> bool:
    """Whether the model of an exported folder has its rows padded on the left."""
    return family_of(stored(read_json(folder / "config.json"))).reads_last


def _judged(
    task: settings.Task, said: Answers, reference: Answers, gold: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """How good the answers are, by themselves and beside the reference's."""
    beside, fit = None, None
    if said.logits is not None and reference.logits is not None:
        beside = divergence(said.logits, reference.logits)._asdict()
        fit = calibration_error(said.logits, gold, seed=seed)._asdict()
    return {
        "metrics": _metrics(task, said.ids, gold),
        "predictions": pack(said.ids),
        "agreement": float((said.ids == reference.ids).mean()),
        "divergence": beside,
        "calibration_error": fit,
    }


def _metrics(task: settings.Task, ids: NDArray[np.int64], gold: NDArray[np.int64]) -> dict[str, float]:
    """The task's metric first, then the others that fit."""
    allowed = registry.TASKS.load(task.type).metrics
    names = [task.metric, *(name for name in allowed if name != task.metric)]
    return {name: float(registry.METRICS.load(name)(ids, gold)) for name in names}


def _sureness(reference: Answers | None) -> str | None:
    """The reference's probability of its answer to each row, packed: 65,535 is 1."""
    if reference is None or reference.logits is None:
        return None
    return pack(np.round(SURE * softmax(reference.logits.astype(np.float64), axis=-1).max(-1)).astype(np.int64))
