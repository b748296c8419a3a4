"""Write the report: one record, as JSON, Markdown and an HTML page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from compress.bench import machine
from compress.config import catalogue
from compress.config.cards import TeacherCard
from compress.config.pipeline import load_card
from compress.config.settings import Pipeline
from compress.data import sources
from compress.files import read_json, write_text
from compress.registry import RECIPES, TARGETS
from compress.report import record
from compress.report.examples import examples
from compress.report.gate import verdict
from compress.report.packing import pack, unpack
from compress.report.pages import html, markdown
from compress.report.pages.pictures import tradeoff
from compress.report.record import Epoch, Stage, Weights
from compress.report.structure import Structure
from compress.report.variant import TEACHER
from compress.stages.augment import SUMMARY
from compress.stages.context import Context
from compress.stages.material import HISTORY
from compress.stages.measure import MEASUREMENTS
from compress.stages.prune import STRUCTURE
from compress.store import artifact
from compress.targets import Export, chosen, deployed

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
_LETTERS = 300
"""How much of a row's text is shown."""


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
    task, allowed = pipeline.task, _allowed(pipeline)
    made = record.parse(
        {
            "record_version": record.VERSION,
            "name": pipeline.name,
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "command": settings.command,
            "seed": pipeline.seed,
            "versions": machine.versions(dict.fromkeys([*_VERSIONS, *_engines(pipeline)])),
            "machine": measured["machine"],
            "task": {
                "type": task.type,
                "labels": measured["labels"],
                "metric": task.metric,
                "max_length": task.max_length,
            },
            "data": measured["data"] | {"hub": task.data.hub, "config": task.data.config},
            "weights": {name: value.model_dump(mode="json") for name, value in _weights(pipeline, context.root)},
            "measure": pipeline.measure.model_dump(mode="json"),
            "gate": pipeline.gate.model_dump(mode="json"),
            "stages": [stage.model_dump(mode="json") for stage in _stages(needs)],
            "gold": measured["gold"],
            "lengths": measured["lengths"],
            **_rows(pipeline, measured, context.root),
            "variants": [one | allowed.get(_id(one), {}) for one in measured["variants"]],
            "unmeasured": [
                one | {key: value for key, value in allowed.get(one["id"], {}).items() if key == "on_regression"}
                for one in measured["unmeasured"]
            ],
            "structures": {name: value.model_dump(mode="json") for name, value in _structures(pipeline, needs)},
        },
        str(needs.measured / MEASUREMENTS),
    )
    baseline = record.load(context.root / pipeline.gate.baseline) if pipeline.gate.baseline else None
    judged = verdict.judge(made, pipeline.gate, baseline)
    record.save(made, context.out / "report.json")
    write_text(context.out / "picture.svg", tradeoff.svg(made))
    write_text(context.out / "report.md", markdown.render(made, judged, "picture.svg"))
    write_text(context.out / "report.html", html.render(made, judged))


def _rows(pipeline: Pipeline, measured: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What is told of single test rows: what columns of the data say of them, and some of them in words."""
    task = pipeline.task.model_copy(update={"labels": tuple(measured["labels"])})  # so that no other split is read
    told = sources.columns(task, root, pipeline.measure.columns)
    chosen = _shown(measured, pipeline.measure.shown_rows)
    rows = sources.load(task, root, "test") if chosen else sources.Rows([], None, [])
    return {
        "columns": {name: _column(values) for name, values in told.items()},
        "rows": [
            {
                "row": row,
                "text": _cut(rows.texts[row]),
                "text_pair": None if rows.pairs is None else _cut(rows.pairs[row]),
            }
            for row in chosen
        ],
    }


def _shown(measured: Mapping[str, Any], limit: int) -> list[int]:
    """The rows that show where students differ from the teacher, `limit` of each student."""
    variants = measured["variants"]
    gold, teacher = unpack(measured["gold"]), unpack(variants[0]["predictions"])
    sureness = unpack(measured["sureness"]) if measured["sureness"] else [0] * len(gold)
    chosen: set[int] = set()
    for student in {one["model"] for one in variants} - {TEACHER}:
        own = {_id(one): unpack(one["predictions"]) for one in variants if one["model"] == student and one["asked"]}
        chosen.update(examples(gold, teacher, sureness, own, limit))
    return sorted(chosen)


def _column(values: Sequence[str]) -> dict[str, Any]:
    """A column of the data, as the record has it."""
    known = sorted(set(values))
    places = {value: place for place, value in enumerate(known)}
    return {"values": known, "rows": pack(places[value] for value in values)}


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def _allowed(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """What the pipeline allows the precisions that it asks for, by their ids."""
    return {
        deployed(export.target, precision, export.recipe).id: {
            "max_drop": export.max_drop,
            "on_regression": export.on_regression,
        }
        for export in pipeline.export
        for precision in export.precision
    }


def _engines(pipeline: Pipeline) -> Iterator[str]:
    """The packages that built and ran the exports."""
    for export in pipeline.export:
        target = TARGETS.load(export.target)
        yield from target.packages
        for precision in export.precision:
            recipe = chosen(target, precision, export.recipe)
            yield from () if recipe is None else RECIPES.load(recipe).packages


def _id(variant: Mapping[str, Any]) -> str:
    return Export(variant["runtime"], variant["precision"], variant["recipe"]).id


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


def _weights(pipeline: Pipeline, root: Path) -> Iterator[tuple[str, Weights]]:
    """What the models started from. A card tells of its own weights, not of others that a pipeline gives in their place."""
    used = pipeline.teacher.model
    file = catalogue.card("teachers", pipeline.teacher.use, root)
    card = load_card(TeacherCard, file)[1]
    places = [
        (base / model.folder).resolve() if model.folder else None
        for base, model in ((file.parent, card.model), (root, used))
    ]
    if places[0] == places[1] and card.model.model_copy(update={"folder": used.folder}) == used:
        source = None if used.scratch else card.source
        yield TEACHER, Weights(hub=used.hub, license=card.license, language=card.language, source=source)
    else:
        yield TEACHER, Weights(hub=used.hub)
    for name, student in pipeline.students.items():
        if student.model is not None:
            yield name, Weights(hub=student.model.hub)


def _structures(pipeline: Pipeline, needs: Needs) -> Iterator[tuple[str, Structure]]:
    """What pruning left of each student's layers."""
    for name, student in pipeline.students.items():
        if student.prune is not None:
            found: Any = read_json(needs.made[f"prune/{name}"] / STRUCTURE)
            yield name, Structure.model_validate(found)
