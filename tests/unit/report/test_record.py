import json

import pytest
import sample

from compress.errors import InputError
from compress.report import record as records
from compress.report.packing import pack
from compress.report.record import Record


@pytest.fixture(scope="module")
def report():
    return sample.record(rows=50)


def test_a_record_survives_the_round_trip(report, tmp_path):
    path = tmp_path / "deep" / "report.json"
    records.save(report, path)
    assert records.load(path) == report
    assert json.loads(path.read_text())["variants"][5]["id"] == "onnxruntime-int8"


def test_a_record_is_found_in(report):
    assert report.students == ("small", "tiny")
    assert report.reference is report.variants[0]
    assert report.variant("tiny", "onnxruntime-int8").size_bytes == 4_561_730
    assert report.variant("tiny", "tensorrt-fp16") is None
    assert report.variants[0].cell(8, 64).samples == 150
    assert report.variants[0].cell(2, 64) is None
    assert report.shape == (1, 16)


def test_the_id_names_a_recipe_that_was_asked_for(report):
    variant = report.variants[5].model_copy(update={"recipe": "static_qdq"})
    assert variant.id == "onnxruntime-int8-static_qdq"


def broken(report, change):
    value = report.model_dump(mode="json")
    change(value)
    return value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("record_version"), "report.json: not a report of this program: it has no `record_version`."),
        (
            lambda v: v.update(record_version=3),
            "report.json: has record_version 3; this program reads 1 and 2. Update this program",
        ),
        (
            lambda v: v.update(record_version=0),
            "has record_version 0; this program reads 1 and 2. Make the report anew: `compress run --from report`",
        ),
        (lambda v: v.update(record_version="one"), "has record_version 'one'; this program reads 1 and 2."),
        (lambda v: v.update(record_version=True), "has record_version True; this program reads 1 and 2."),
        (lambda v: v.pop("seed"), "report.json: seed: is missing."),
        (lambda v: v["task"].update(colour="red"), "report.json: task.colour: no such key."),
        (
            lambda v: v["variants"][0].update(size_bytes=-3),
            "variants[0].size_bytes: Input should be greater than or equal to 0. Seen: -3.",
        ),
        (lambda v: v["variants"][1]["latency"][0].update(p50_ms="fast"), "variants[1].latency[0].p50_ms: "),
        (
            lambda v: v["structures"]["small"]["shares"].update(layers={"asked": 0, "removed": 0}),
            "structures.small.shares.layers.[key]: Input should be 'heads' or 'neurons'",
        ),
        (lambda v: v.update(created="yesterday"), "created: String should match pattern"),
        (lambda v: v["variants"][2].update(predictions=pack([1])), "small pytorch-fp32: 1 numbers for 50 test rows"),
        (lambda v: v.update(gold=pack([0] * 1_000_000)), "gold: 51 numbers for 50 test rows"),
        (lambda v: v.update(gold=pack([8] * 50)), "gold: a number above 7, the last"),
        (lambda v: v["variants"].append(v["variants"][0]), "two variants of one name: teacher pytorch-fp32"),
    ],
)
def test_a_bad_file_is_refused_by_name(report, tmp_path, monkeypatch, change, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps(broken(report, change)))
    with pytest.raises(InputError) as caught:
        records.load(records.Path("report.json"))
    assert said in str(caught.value)
    assert "report.json" in str(caught.value)


def test_a_report_from_before_the_shares_were_recorded_is_read(report):
    found = records.parse(broken(report, lambda v: v["structures"]["small"].pop("shares")), "r.json")
    assert found.structures["small"].layers == report.structures["small"].layers
    assert found.structures["small"].shares == {}


def test_a_report_of_version_1_is_read(report):
    def older(value):
        value["record_version"] = 1
        for key in ("lengths", "columns", "rows"):
            value.pop(key)
        for key in ("fidelity", "calibration", "slices"):
            value["gate"].pop(key)
        for key in ("columns", "shown_rows"):
            value["measure"].pop(key)
        for variant in value["variants"]:
            for key in ("divergence", "calibration_error"):
                variant.pop(key)
            for cell in (*variant["latency"], variant["same_rows"]):
                for key in ("p50_interval", "p95_interval", "speedup_interval"):
                    cell.pop(key)

    found = records.parse(broken(report, older), "r.json")
    assert (found.lengths, found.columns, found.rows, found.measure.columns) == (None, {}, (), ())
    for now, before in zip(found.variants, report.variants, strict=True):
        assert now.divergence is now.calibration_error is now.latency[0].p95_interval is None
        assert (now.predictions, now.latency[0].p50_ms) == (before.predictions, before.latency[0].p50_ms)
    assert records.parse(found.model_dump(mode="json"), "r.json") == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(lengths=pack([65] * 50)), "lengths: a number above 64, the last"),
        (lambda v: v.update(lengths=pack([3] * 49)), "lengths: 49 numbers for 50 test rows"),
        (
            lambda v: v.update(columns={"source": {"values": ["a"], "rows": pack([1] * 50)}}),
            "columns.source: a number above 0, the last",
        ),
        (lambda v: v.update(rows=[{"row": 50, "text": "hello"}]), "rows: a row above 49, the last"),
        (
            lambda v: v["variants"][0].update(divergence={"value": 1, "low": 2, "high": 1}),
            "variants[0].divergence: an interval from 2",
        ),
    ],
)
def test_what_is_said_of_rows_must_fit_them(report, change, said):
    with pytest.raises(InputError) as caught:
        records.parse(broken(report, change), "r.json")
    assert said in str(caught.value)


def test_every_problem_is_told_at_once(report):
    with pytest.raises(InputError) as caught:
        records.parse(broken(report, lambda v: (v.pop("seed"), v.pop("name"), v.update(extra=1))), "r.json")
    assert [str(problem) for problem in caught.value.problems] == [
        "r.json: name: is missing.",
        "r.json: seed: is missing.",
        "r.json: extra: no such key.",
    ]


@pytest.mark.parametrize("content", ["{", "[1, 2]", "7", '"text"', ""])
def test_what_is_no_report_is_refused(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"report\.json"):
        records.load(path)


def test_infinite_numbers_are_refused(report):
    with pytest.raises(InputError, match=r"metrics\.accuracy"):
        records.parse(broken(report, lambda v: v["variants"][0]["metrics"].update(accuracy=float("nan"))), "r.json")


def test_the_schema_describes_every_key():
    schema = records.schema()
    assert set(schema["properties"]) == set(Record.model_fields)
    for name, group in {"Record": schema, **schema["$defs"]}.items():
        undescribed = [
            key for key, value in group.get("properties", {}).items() if not {"description", "$ref"} & set(value)
        ]
        assert undescribed == [], name
        assert group["additionalProperties"] is False
