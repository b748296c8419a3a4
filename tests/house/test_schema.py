"""Every key of a pipeline, of the cards and of a report says what it means."""

from typing import Any

import pytest

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


def test_the_published_schema_is_of_what_a_person_writes() -> None:
    schema = pipeline_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "task", "students"]
    assert "required" not in schema["$defs"]["Teacher"]
    assert set(schema["properties"]) == set(Pipeline.model_fields)
