"""Every key of a pipeline, of the cards and of a report says what it means."""

import inspect
from pathlib import Path
from typing import Any

import project
import pytest
from pydantic.json_schema import JsonSchemaMode

from compress.cli.main import code
from compress.config.cards import StudentCard, TeacherCard
from compress.config.group import Closed, meanings
from compress.config.schema import pipeline_schema
from compress.config.settings import Pipeline
from compress.report.record import Record


def groups() -> list[type[Closed]]:
    found: list[type[Closed]] = []
    waiting: list[Any] = [Closed]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += below
        waiting += below
    assert {Pipeline, Record, StudentCard, TeacherCard} <= {*found}
    return sorted(found, key=named)


def named(group: type[Closed]) -> str:
    return f"{group.__module__.removeprefix('compress.')}.{group.__name__}"


@pytest.mark.parametrize("group", groups(), ids=named)
def test_every_key_is_described(group: type[Closed]) -> None:
    assert group.__doc__
    assert {field.alias or name for name, field in group.model_fields.items()} == {*meanings(group)}


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize("group", groups(), ids=named)
def test_a_schema_holds_the_meanings(group: type[Closed], mode: JsonSchemaMode) -> None:
    schema = group.model_json_schema(mode=mode)
    schema = schema["$defs"][group.__name__] if "$ref" in schema else schema
    for key, told in schema.get("properties", {}).items():
        assert told["description"] == meanings(group).get(key, told["description"])


def test_without_sources_keys_have_no_meanings_and_mistakes_are_still_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", missing)
    meanings.cache_clear()
    try:
        assert pipeline_schema()["properties"]["name"].keys() >= {"type"}
        assert code(["check", str(project.write(tmp_path)), "--set", "teacher.train.epochs=none"]) == 2
        assert "`none` is not a number.\n" in capsys.readouterr().err
    finally:
        meanings.cache_clear()


def test_the_published_schema_is_of_what_a_person_writes() -> None:
    schema = pipeline_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "task", "students"]
    assert "required" not in schema["$defs"]["Teacher"]
    assert set(schema["properties"]) == set(Pipeline.model_fields)
