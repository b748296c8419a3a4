"""A model's deployable file: what a target reads of it, rewritten by the recipe, built by the target."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedModel

from compress.encoders import checkpoint
from compress.encoders.graph import export_graph
from compress.quantization import Material
from compress.registry import RECIPES, TARGETS
from compress.targets import Export, Extent, Option, chosen


def source(model: PreTrainedModel, target: str, folder: Path) -> Path:
    """Write what the target builds from into the folder: the model's ONNX graph, or its checkpoint."""
    if TARGETS.load(target).reads == "graph":
        export_graph(model, folder / "graph.onnx")
        return folder / "graph.onnx"
    checkpoint.save(model, folder / "checkpoint")
    return folder / "checkpoint"


class Built(NamedTuple):
    """A deployable file."""

    file: Path
    settings: dict[str, Any]
    """What opening it needs."""
    recipe: str | None
    """What it was quantized by."""
    notes: tuple[str, ...]
    """What a reader should know of how it was made."""


def build(
    export: Export,
    source: Path,
    material: Material,
    extent: Extent,
    options: Mapping[str, Option] | None = None,
    *,
    work: Path,
    out: Path,
) -> Built:
    """Make the deployable file below `out`; `work` takes what lies between.

    Raises: InputError if the source cannot be built, or if the recipe needs calibration rows and gets none
    """
    target = TARGETS.load(export.target)
    recipe = chosen(target, export.precision, export.recipe)
    file = out / target.file_name(export.precision, recipe)
    notes: tuple[str, ...] = ()
    if recipe is not None:
        graph, source = source, work / f"{recipe}-{export.precision}.onnx"
        notes = RECIPES.load(recipe)(graph, source, material)
    settings = target.build(source, export.precision, file, extent=extent, options=options or {})
    return Built(file, {**settings, **target.tunings[0]}, recipe, notes)


def parts(file: Path) -> list[Path]:
    """The files of what was built: those of a folder, or the file and the weights beside it."""
    if file.is_dir():
        return sorted(path for path in file.rglob("*") if path.is_file())
    beside = [file.with_name(f"{file.name}_data"), *([file.with_suffix(".bin")] if file.suffix == ".xml" else [])]
    return [file, *(path for path in beside if path.is_file())]


def size_bytes(file: Path) -> int:
    """The size of a deployable file or folder, weights beside it included."""
    return sum(path.stat().st_size for path in parts(file))
