"""Export a model to one deployment target, and prove that every file answers as its PyTorch source does."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress import registry
from compress.config import settings
from compress.data.batches import Encoded, feeds
from compress.encoders import checkpoint
from compress.encoders.families import family_of
from compress.errors import ParityError
from compress.files import write_json
from compress.stages.build import build, size_bytes, source
from compress.stages.context import Context
from compress.stages.material import called, encoded, keep_tokenizer, labels_of, tokenizer_of
from compress.targets import Export

DESCRIPTION = "export.json"
_PARITY_ROWS = 256
_BATCH = 8

# The largest difference of a logit that is no fault, in standard deviations of the logits. Integers lose some accuracy,
# which the measurements show; beyond this the file is broken (a saturated kernel, a collapsed calibration).
_TOLERANCE = {"fp32": 1e-3, "fp16": 0.05, "int8": 2.0}


class Settings(NamedTuple):
    """What is built."""

    task: settings.Task
    export: settings.Export


class Needs(NamedTuple):
    """What is exported."""

    model: Path


class _Built(NamedTuple):
    """One file of the export."""

    precision: str
    quantization: str | None
    """The recipe it was made with."""
    recipe: str | None
    """The same, if the pipeline asked for it by name."""
    file: Path
    settings: Mapping[str, Any]


def export(settings: Settings, needs: Needs, context: Context) -> None:
    """Build the model in every asked precision and compare each file's logits with PyTorch's on validation rows.

    Writes the target's files, tokenizer, config, `preprocess.json`, `predict.py` where the target has one, and
    `export.json` with what `open` needs and each file's parity.
    Raises: ParityError if a file answers otherwise than its source, beyond the precision's tolerance.
    """
    model, tokenizer = checkpoint.load(needs.model), tokenizer_of(needs.model)
    rows = encoded("validation", settings.task, context.root, tokenizer, model, called(context))
    reference = _answers("pytorch", needs.model, {}, rows)
    total = len(settings.export.precision)
    described = []
    for done, built in enumerate(_build(settings, needs, context, model, tokenizer)):
        logits = _answers(settings.export.target, built.file, built.settings, rows)
        name = f"{context.name} {built.precision}"
        parity = _parity(name, reference, logits, _TOLERANCE.get(built.precision, max(_TOLERANCE.values())))
        described.append(
            {
                "precision": built.precision,
                "quantization": built.quantization,
                "recipe": built.recipe,
                "file": built.file.relative_to(context.out).as_posix(),
                "settings": dict(built.settings),
                "size_bytes": size_bytes(built.file),
                "parity": parity,
            }
        )
        context.notify(done + 1, total, built.precision)
    _companions(settings, context, model, tokenizer, described)
    write_json(
        context.out / DESCRIPTION,
        {"target": settings.export.target, "parameters": checkpoint.parameters(model), "files": described},
    )


def _build(
    settings: Settings, needs: Needs, context: Context, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Iterator[_Built]:
    target = registry.TARGETS.load(settings.export.target)
    read = source(model, settings.export.target, context.work) if target.reads == "graph" else needs.model

    def calibration() -> Iterator[Mapping[str, NDArray[np.int64]]]:
        rows = encoded("train", settings.task, context.root, tokenizer, model, called(context))
        return (feed for _, feed in feeds(rows, _BATCH, limit=settings.export.calibration_rows))

    for precision in settings.export.precision:
        recipe = target.precisions[precision]
        asked = settings.export.recipe if recipe in target.recipes else None
        export = Export(settings.export.target, precision, asked)
        file, options = build(export, read, calibration, work=context.work, out=context.out)
        yield _Built(precision, asked or recipe, asked, file, options)


def _answers(target: str, file: Path, options: Mapping[str, Any], rows: Encoded) -> NDArray[np.float32]:
    """The logits of the first rows, in the given order and in batches of one size for every runtime.

    Dynamic quantization makes an answer depend on the rows beside it.
    """
    opened = registry.TARGETS.load(target).open(file, options, threads=1)
    try:
        batches = feeds(rows, _BATCH, order="given", limit=_PARITY_ROWS)
        return np.concatenate([opened(feed) for _, feed in batches])
    finally:
        opened.close()


def _parity(name: str, reference: NDArray[np.float32], logits: NDArray[np.float32], share: float) -> dict[str, float]:
    difference = np.abs(logits.astype(np.float64) - reference)
    tolerance = share * float(reference.std())
    largest = float(difference.max())
    if not largest <= tolerance:  # NaN must fail too
        raise ParityError(
            f"{name}: a logit differs from PyTorch's by {largest:.3g} on {len(reference)} validation rows; {tolerance:.3g} is allowed. "
            "The file was not kept. Leave this precision out, or try another recipe."
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
    keep_tokenizer(tokenizer, model, context.out)
    model.config.save_pretrained(context.out)
    write_json(
        context.out / "preprocess.json",
        {
            "labels": labels_of(model),
            "max_length": task.max_length,
            "truncation": task.truncation,
            "texts": 1 if task.text_pair is None else 2,
            "inputs": list(family_of(model).inputs),
            "file": described[-1]["file"],
            "settings": described[-1]["settings"],
        },
    )
    if target.predict is not None:
        shutil.copyfile(target.predict, context.out / "predict.py")
