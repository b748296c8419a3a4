"""What README.md shows as YAML is valid: whole pipelines with their cards and rows, fragments key by key. Its exit codes are those of `--help`."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from compress.cli.main import app
from compress.config import source
from compress.config.settings import Pipeline, Student, Task, Teacher
from compress.run import checks

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(
        source.parse(found[1], "README.md").value, found[1], id=f"line {README[: found.start()].count(chr(10)) + 1}"
    )
    for found in re.finditer(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]
WHOLE = [block for block in BLOCKS if {"name", "task"} <= set(block.values[0])]
PARTS = [block for block in BLOCKS if block not in WHOLE]


def test_the_readme_shows_a_whole_pipeline() -> None:
    assert WHOLE


@pytest.mark.parametrize(("value", "text"), WHOLE)
def test_a_whole_pipeline_is_valid(value: dict, text: str, tmp_path: Path) -> None:
    task = value["task"]
    columns = [task[key] for key in ("text", "text_pair", "label") if key in task]
    for name in task["data"].values():
        rows = [columns, *([f"{name} {number}"] * (len(columns) - 1) + [f"label {number % 2}"] for number in range(4))]
        (tmp_path / name).write_text("".join("\t".join(row) + "\n" for row in rows))
    (tmp_path / "pipeline.yaml").write_text(text)
    assert checks.load(tmp_path / "pipeline.yaml").settings.name == value["name"]


@pytest.mark.parametrize(("value", "text"), PARTS)
def test_a_fragment_fits_the_settings_it_is_of(value: dict, text: str) -> None:
    groups = [group for group in (Pipeline, Task, Teacher, Student) if set(value) <= set(group.model_fields)]
    assert groups, f"no group has the keys {list(value)}"
    for key, part in value.items():
        TypeAdapter(groups[0].model_fields[key].annotation).validate_json(json.dumps(part), strict=True)


def test_the_exit_codes_are_those_of_the_help() -> None:
    assert app.info.epilog is not None
    assert app.info.epilog in " ".join(README.split())
