"""A model's deployable file: what a target reads of it, rewritten by the recipe, built by the target."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from compress.encoders import checkpoint
from compress.encoders.graph import export_graph
from compress.quantization import Calibration
from compress.registry import RECIPES, TARGETS
from compress.targets import Export


def source(model: PreTrainedModel, target: str, folder: Path) -> Path:
    """Write what the target builds from into the folder: the model's ONNX graph, or its checkpoint."""
    if TARGETS.load(target).reads == "graph":
        export_graph(model, folder / "graph.onnx")
        return folder / "graph.onnx"
    checkpoint.save(model, folder / "checkpoint")
    return folder / "checkpoint"


def build(
    export: Export, source: Path, calibration: Calibration, *, work: Path, out: Path
) -> tuple[Path, dict[str, Any]]:
    """The deployable file below `out`, and the settings that opening it needs; `work` takes what lies between.

    Raises: InputError if the source cannot be built, or if the recipe needs calibration rows and gets none
    """
    target = TARGETS.load(export.target)
    recipe = export.recipe or target.precisions[export.precision]
    file = out / target.file_name(export.precision, recipe)
    if recipe is not None:
        graph, source = source, work / f"{recipe}.onnx"
        RECIPES.load(recipe)(graph, source, calibration)
    return file, target.build(source, export.precision, file)


def size_bytes(file: Path) -> int:
    """The size of a deployable file or folder, weights beside it included."""
    files = [file] if file.is_file() else [path for path in file.rglob("*") if path.is_file()]
    data = file.with_name(f"{file.name}_data")
    return sum(path.stat().st_size for path in files) + (data.stat().st_size if data.is_file() else 0)
