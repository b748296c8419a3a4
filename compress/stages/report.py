"""Write the report: one record, as JSON, Markdown and an HTML page."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from compress.bench import machine
from compress.config.settings import Pipeline
from compress.files import read_json, write_text
from compress.report import html, markdown, picture, record, verdict
from compress.report.record import Epoch, Stage
from compress.report.structure import Structure
from compress.stages.augment import SUMMARY
from compress.stages.context import Context
from compress.stages.material import HISTORY
from compress.stages.measure import MEASUREMENTS
from compress.stages.prune import STRUCTURE
from compress.store import artifact

_VERSIONS = (
    "compress",
    "torch",
    "transformers",
    "tokenizers",
    "torch-pruning",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "numpy",
)


class Settings(NamedTuple):
    """What was asked for."""

    pipeline: Pipeline
    command: str
    """What runs it again."""


class Needs(NamedTuple):
    """The measurements, and the models and exports by the steps that made them."""

    made: Mapping[str, Path]
    measured: Path


def report(settings: Settings, needs: Needs, context: Context) -> None:
    """Join what was measured and how the models were trained; judge; write `report.json`, `.md` and `.html`."""
    pipeline = settings.pipeline
    measured = read_json(needs.measured / MEASUREMENTS)
    task = pipeline.task
    made = record.parse(
        {
            "record_version": record.VERSION,
            "name": pipeline.name,
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "command": settings.command,
            "seed": pipeline.seed,
            "versions": machine.versions(_VERSIONS),
            "machine": measured["machine"],
            "task": {
                "type": task.type,
                "labels": measured["labels"],
                "metric": task.metric,
                "max_length": task.max_length,
            },
            "data": measured["data"],
            "measure": pipeline.measure.model_dump(mode="json"),
            "gate": pipeline.gate.model_dump(mode="json"),
            "stages": [stage.model_dump(mode="json") for stage in _stages(needs)],
            "gold": measured["gold"],
            "variants": measured["variants"],
            "structures": {name: value.model_dump(mode="json") for name, value in _structures(pipeline, needs)},
        },
        str(needs.measured / MEASUREMENTS),
    )
    baseline = record.load(context.root / pipeline.gate.baseline) if pipeline.gate.baseline else None
    judged = verdict.judge(made, pipeline.gate, baseline)
    record.save(made, context.out / "report.json")
    write_text(context.out / "picture.svg", picture.svg(made))
    write_text(context.out / "report.md", markdown.render(made, judged, "picture.svg"))
    write_text(context.out / "report.html", html.render(made, judged))


def _stages(needs: Needs) -> Iterator[Stage]:
    for step, folder in {**needs.made, "measure": needs.measured}.items():
        made = artifact.read(folder)
        history = read_json(folder / HISTORY) if (folder / HISTORY).is_file() else {"epochs": []}
        epochs = tuple(
            Epoch(epoch=epoch["epoch"], loss=epoch["loss"], validation=epoch["accuracy"]) for epoch in history["epochs"]
        )
        together = f" on {history['devices']} devices together" if history.get("devices", 1) > 1 else ""
        notes = [f"forward pass in {history['precision']}{together}"] if "precision" in history else []
        if history.get("steps") == 0:
            notes = ["nothing was trained"]
        if "phases" in history:
            passes = " + ".join(f"{phase['epochs'][-1]['epoch']:g}" for phase in history["phases"])
            notes.append(f"{len(history['phases'])} phases of {passes} epochs")
        notes += history.get("notes", [])
        if (folder / SUMMARY).is_file():
            notes.append(_augmented(read_json(folder / SUMMARY)))
        yield Stage(name=step, seconds=made.manifest.seconds if made else 0, history=epochs, notes=tuple(notes))


def _augmented(made: Mapping[str, Any]) -> str:
    out, ways = made["left_out"], []
    if made["words"]:
        ways.append(f"{made['replaced'] / made['words']:.0%} of the words of copies replaced")
    if made["joined"]:
        ways.append(f"{made['joined']:,} drawn of two rows joined")
    return (
        f"{made['rows']:,} new rows from {made['training_rows']:,}: {', '.join(ways)}; left out {out['unchanged']:,} "
        f"that came out unchanged, {out['like_a_training_row_or_another_new_row']:,} like a training row or each other, "
        f"{out['like_a_validation_or_test_row']:,} like a validation or test row"
    )


def _structures(pipeline: Pipeline, needs: Needs) -> Iterator[tuple[str, Structure]]:
    """What pruning left of each student's layers."""
    for name, student in pipeline.students.items():
        if student.prune is not None:
            found: Any = read_json(needs.made[f"prune/{name}"] / STRUCTURE)
            yield name, Structure.model_validate(found)
