"""Export a model to one deployment target, and prove that every file answers as its PyTorch source does."""

import shutil
import statistics
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress import registry
from compress.bench import timer
from compress.config import settings
from compress.data.batches import Encoded, feeds
from compress.encoders import checkpoint
from compress.encoders.families import family_of
from compress.errors import ParityError
from compress.files import DESCRIPTION, PREPROCESS, write_json
from compress.quantization import Material
from compress.stages.build import Built, build, size_bytes, source
from compress.stages.context import Context
from compress.stages.material import called, encoded, keep_tokenizer, labels_of, tokenizer_of
from compress.targets import RUN, Export, Extent, Feeds, Session

_PARITY_ROWS = 256
_JUDGED_ROWS = 1024
_TIMED_ROWS = 16
_TIMED_ROUNDS = 15
_CLEARLY = 0.97
_BATCH = 8
_CALL = 32
"""Rows that a script asks for at once, of targets that take any number."""

# The largest difference of a logit that is no fault, in standard deviations of the logits. Integers lose some accuracy,
# which the measurements show; beyond this the file is broken (a saturated kernel, a collapsed calibration).
_TOLERANCE = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.2, "int8": 2.0, "int4": 3.0}
_ADVICE = "Leave this precision out, or try another recipe."


class Settings(NamedTuple):
    """What is built."""

    task: settings.Task
    export: settings.Export


class Needs(NamedTuple):
    """What is exported."""

    model: Path


def export(settings: Settings, needs: Needs, context: Context) -> None:
    """Build the model in every asked precision and compare each file's logits with PyTorch's on validation rows.

    The target's plain precision is built too, for the others to be compared with, and where the target has several
    ways to run what it built, the fastest is found by timing. What cannot be run here is built all the same.
    Writes the target's files, tokenizer, config, `preprocess.json`, what answers with them where the target has it, and
    `export.json` with what `open` needs and each file's parity.
    Raises: ParityError if a file answers otherwise than its source, beyond the precision's tolerance.
    """
    model, tokenizer = checkpoint.load(needs.model), tokenizer_of(needs.model)
    rows = encoded("validation", settings.task, context.root, tokenizer, model, called(context))
    asked, target = settings.export, registry.TARGETS.load(settings.export.target)
    batch = min(_BATCH, asked.max_batch) if target.bounded else _BATCH
    reference = _answers("pytorch", needs.model, {}, rows, batch)
    plain = next(iter(target.precisions))
    precisions = list(dict.fromkeys([plain, *asked.precision]))
    described = []
    for done, (precision, built) in enumerate(_build(precisions, settings, needs, context, model, tokenizer)):
        parity, options, idle = None, built.settings, target.unrunnable(precision)
        if idle is None:
            name, share = f"{context.name} {precision}", _TOLERANCE.get(precision, max(_TOLERANCE.values()))
            parity = _parity(name, reference, _answers(asked.target, built.file, options, rows, batch), share)
            options = _fastest(asked.target, built, rows, context.seed)
        described.append(
            {
                "precision": precision,
                "quantization": built.recipe,
                "recipe": asked.recipe if built.recipe == asked.recipe else None,
                "asked": precision in asked.precision,
                "file": built.file.relative_to(context.out).as_posix(),
                "settings": options,
                "batch": _call(asked, built.recipe),
                "size_bytes": size_bytes(built.file),
                "parity": parity,
                "notes": [*built.notes, *([] if idle is None else [f"not run here: {idle}"])],
            }
        )
        context.notify(done + 1, len(precisions), precision)
    _companions(settings, context, model, tokenizer, described)
    write_json(
        context.out / DESCRIPTION,
        {"target": settings.export.target, "parameters": checkpoint.parameters(model), "files": described},
    )


def _build(
    precisions: Iterable[str],
    settings: Settings,
    needs: Needs,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
) -> Iterator[tuple[str, Built]]:
    asked = settings.export
    target = registry.TARGETS.load(asked.target)
    read = source(model, asked.target, context.work) if target.reads == "graph" else needs.model
    extent = Extent(asked.max_batch, settings.task.max_length)

    def rows(split: Literal["train", "validation"]) -> Encoded:
        return encoded(split, settings.task, context.root, tokenizer, model, called(context))

    def calibration() -> Iterator[Feeds]:
        return (feed for _, feed in feeds(rows("train"), _BATCH, limit=asked.calibration_rows))

    def validation() -> Iterator[tuple[Feeds, NDArray[np.int64]]]:
        judged = rows("validation")
        return ((feed, judged.labels[chosen]) for chosen, feed in feeds(judged, _BATCH, limit=_JUDGED_ROWS))

    for precision in precisions:
        export = Export(asked.target, precision, asked.recipe)
        material = Material(precision, calibration, validation, asked.max_drop)
        yield precision, build(export, read, material, extent, asked.options, work=context.work, out=context.out)


def _call(asked: settings.Export, recipe: str | None) -> int:
    """The most rows to ask a file at once: one where an answer would depend on the rows beside it."""
    if recipe is not None and registry.RECIPES.load(recipe).by_call:
        return 1
    return asked.max_batch if registry.TARGETS.load(asked.target).bounded else _CALL


def _fastest(target: str, built: Built, rows: Encoded, seed: int) -> dict[str, Any]:
    """The settings that answer single rows fastest, of those that the target can be opened with.

    Others than the first are taken only where they are clearly faster.
    """
    engine = registry.TARGETS.load(target)
    ways: list[dict[str, Any]] = [built.settings | tuning for tuning in engine.tunings]
    if len(ways) == 1:
        return built.settings
    single = [feed for _, feed in feeds(rows, 1, order="given", limit=_TIMED_ROWS)]
    with timer.pin(1), ExitStack() as opened:
        calls = {}
        for number, way in enumerate(ways):
            session = engine.open(built.file, way, threads=1)
            opened.callback(session.close)
            calls[str(number)] = partial(_each, session, single)
        samples = timer.interleave(calls, rounds=_TIMED_ROUNDS, seed=seed, warmup=1)
    times = [statistics.median(times) for times in samples.values()]
    best = min(range(len(ways)), key=times.__getitem__)
    return ways[best if times[best] < _CLEARLY * times[0] else 0]


def _each(session: Session, single: Iterable[Feeds]) -> None:
    for feed in single:
        session(feed)


def _answers(target: str, file: Path, options: Mapping[str, Any], rows: Encoded, batch: int) -> NDArray[np.float32]:
    """The logits of the first rows, in the given order and in batches of one size for every runtime.

    Dynamic quantization makes an answer depend on the rows beside it.
    """
    opened = registry.TARGETS.load(target).open(file, options, threads=1)
    try:
        batches = feeds(rows, batch, order="given", limit=_PARITY_ROWS)
        return np.concatenate([opened(feed) for _, feed in batches])
    finally:
        opened.close()


def _parity(name: str, reference: NDArray[np.float32], logits: NDArray[np.float32], share: float) -> dict[str, float]:
    for who, answers in (("PyTorch", reference), (name, logits)):
        broken = np.flatnonzero(~np.isfinite(answers).all(-1))
        if len(broken):
            raise ParityError(
                f"{name}: of {len(answers)} validation rows, {who} answers {len(broken)} with NaN or infinite logits, row "
                f"{broken[0]} (the first is 0) among them. The file was not kept. "
                + ("Train the model anew." if answers is reference else _ADVICE)
            )
    difference = np.abs(logits.astype(np.float64) - reference)
    tolerance = share * float(reference.std())
    largest = float(difference.max())
    if largest > tolerance:
        raise ParityError(
            f"{name}: a logit differs from PyTorch's by {largest:.3g} on {len(reference)} validation rows; {tolerance:.3g} is allowed. "
            f"The file was not kept. {_ADVICE}"
        )
    return {
        "max_abs": largest,
        "mean_abs": float(difference.mean()),
        "agreement": float((logits.argmax(-1) == reference.argmax(-1)).mean()),
        "rows": len(reference),
        "tolerance": tolerance,
    }


def _companions(
    settings: Settings,
    context: Context,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    described: list[dict[str, Any]],
) -> None:
    """What stands beside the files: tokenizer, config, preprocessing, a script that answers."""
    target, task = registry.TARGETS.load(settings.export.target), settings.task
    backend: Any = tokenizer.backend_tokenizer
    backend.no_truncation()  # `task.truncation` is for the script to follow: tokenizers know no head+tail
    backend.no_padding()
    _limit(tokenizer, task)
    keep_tokenizer(tokenizer, model, context.out)
    model.config.save_pretrained(context.out)
    write_json(
        context.out / PREPROCESS,
        {
            "labels": labels_of(model),
            "max_length": task.max_length,
            "truncation": task.truncation,
            "texts": 1 if task.text_pair is None else 2,
            "inputs": list(family_of(model).inputs),
            **{key: described[-1][key] for key in RUN},
        },
    )
    if target.predict is not None and target.predict.is_dir():
        shutil.copytree(target.predict, context.out, dirs_exist_ok=True)
    elif target.predict is not None:
        shutil.copyfile(target.predict, context.out / "predict.py")


def _limit(tokenizer: PreTrainedTokenizerBase, task: settings.Task) -> None:
    """Have transformers, optimum and transformers.js cut where training did, when they are asked to cut.

    They know no head+tail, and keep the head instead.
    """
    tokenizer.model_max_length = task.max_length
    side = "left" if task.truncation == "tail" else "right"
    tokenizer.truncation_side = tokenizer.init_kwargs["truncation_side"] = side
