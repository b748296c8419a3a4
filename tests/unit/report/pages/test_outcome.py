"""The verdict as JSON fits its own schema, which says what every field means."""

import json

import sample

from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict, judge
from compress.report.pages import outcome

RECORD = sample.record()


def test_it_has_the_answer_every_check_and_where_the_numbers_come_from() -> None:
    judged = judge(RECORD, RECORD.gate)
    value = outcome.render(RECORD, judged)
    assert (value["verdict_version"], value["answer"], value["exit_code"]) == (1, "fail", 1)
    assert len(value["checks"]) == len(judged.checks)
    assert value["checks"][0]["sentence"] == judged.checks[0].sentence
    assert value["baseline"] is None
    assert value["machine"]["machine_class"] == RECORD.machine.machine_class
    assert value["versions"]["torch"] == "2.13.0"
    assert value["test"] == {"rows": 600, "sha256": "33" * 32}


def test_it_names_the_baseline() -> None:
    value = outcome.render(RECORD, judge(RECORD, RECORD.gate, RECORD), sample.record(name="before"))
    assert value["baseline"]["name"] == "before"


def test_infinite_numbers_are_null() -> None:
    check = Check("accuracy.keep", "tiny", "x", float("inf"), float("nan"), "fail", "")
    (written,) = outcome.render(RECORD, Verdict("fail", (check,)))["checks"]
    assert (written["seen"], written["limit"]) == (None, None)
    json.dumps(written, allow_nan=False)


def test_it_fits_its_schema() -> None:
    read = outcome.Outcome.model_validate_json(json.dumps(outcome.render(RECORD, judge(RECORD, RECORD.gate))))
    assert read.answer == "fail"
    fields = outcome.schema()["properties"]
    assert set(fields) == set(outcome.Outcome.model_fields)
    assert all(field.get("description") or "$ref" in field for field in fields.values())
