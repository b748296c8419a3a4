"""The JSON Schema accepts what the program accepts."""

from pathlib import Path

import plugin
import pytest
from jsonschema import Draft202012Validator

from compress.config import source
from compress.config.pipeline import load
from compress.config.schema import pipeline_schema
from compress.errors import InputError

GOOD = """\
name: demo
task: {type: text-classification, data: {train: train.tsv, validation: dev.tsv}}
students: {small: {use: distilbert}}
export: [{target: onnxruntime, precision: fp32}]
measure: {batch: 1, sequence: 16}
"""


def accepted(path: Path) -> tuple[bool, bool]:
    """By the schema, and by the program."""
    try:
        load(path)
    except InputError:
        return Draft202012Validator(pipeline_schema()).is_valid(source.read(path).value), False
    return Draft202012Validator(pipeline_schema()).is_valid(source.read(path).value), True


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("precision: fp32", "precision: [fp32, fp16]", True),
        ("precision: fp32", "precision: []", False),
        ("precision: fp32", "precision: 8", False),
        ("batch: 1", "batch: [1, 8]", True),
        ("batch: 1", "batch: 0", False),
        ("sequence: 16", "sequence: [16, 3]", False),
        ("sequence: 16", "sequence: x", False),
        ("small:", "small.er:", False),
        ("type: text-c", "type: c", False),
    ],
)
def test_the_schema_agrees_with_the_program(tmp_path: Path, old: str, new: str, good: bool) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(GOOD.replace(old, new))
    assert accepted(path) == (good, good)


def test_the_schema_knows_a_third_partys_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(GOOD.replace("text-classification", "duel"))
    assert accepted(path) == (False, False)
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.data.tasks]\nduel = acme.duel:duel\n", {})
    assert accepted(path) == (True, True)


def test_the_quickstart_fits_the_schema() -> None:
    path = Path(__file__).parents[3] / "pipeline.yaml"
    assert accepted(path) == (True, True)
