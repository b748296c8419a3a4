"""What the report says of stages."""

import json
from pathlib import Path
from typing import Any

import project

from compress.config.pipeline import load
from compress.report.packing import pack, unpack
from compress.report.record import Column, Weights
from compress.stages import report
from compress.store import artifact


def test_phases_and_notes_are_told(tmp_path: Path) -> None:
    def epoch(number: float) -> dict:
        return {"epoch": number, "loss": 1.0, "parts": {}, "accuracy": 0.5}

    history = {
        "precision": "fp32",
        "devices": 2,
        "epochs": [epoch(1), epoch(2), epoch(2.5)],
        "phases": [{"epochs": [epoch(1), epoch(2)]}, {"epochs": [epoch(0.5)]}],
        "notes": ["states were stored"],
    }
    for name in ("distill/tiny", "measure"):
        with artifact.create(tmp_path / name, name, {}, "mark") as draft:
            (draft.folder / "history.json").write_text(json.dumps(history if name != "measure" else {"epochs": []}))
    made = {"distill/tiny": tmp_path / "distill" / "tiny"}
    first, second = report._stages(report.Needs(made=made, measured=tmp_path / "measure"))
    assert first.notes == (
        "forward pass in fp32 on 2 devices together",
        "2 phases of 2 + 0.5 epochs",
        "states were stored",
    )
    assert [point.epoch for point in first.history] == [1, 2, 2.5]
    assert second.notes == ()


def test_the_counts_of_an_augmentation_are_told() -> None:
    left_out = {"unchanged": 5, "like_a_training_row_or_another_new_row": 1, "like_a_validation_or_test_row": 2}
    counts = {"rows": 1220, "training_rows": 640, "left_out": left_out}
    out = "left out 5 that came out unchanged, 1 like a training row or each other, 2 like a validation or test row"
    copies = report._augmented({**counts, "words": 700, "replaced": 350, "joined": 0})
    assert copies == f"1,220 new rows from 640: 50% of the words of copies replaced; {out}"
    joined = report._augmented({**counts, "words": 0, "replaced": 0, "joined": 1228})
    assert joined == f"1,220 new rows from 640: 1,228 drawn of two rows joined; {out}"


def test_a_card_tells_the_licence_of_its_own_weights_alone(tmp_path: Path) -> None:
    file = project.write(tmp_path)
    found = dict(report._weights(load(file).settings, tmp_path))
    assert found == {"teacher": Weights(license="MIT", language="en")}
    other = load(file, ["teacher.model={hub: some/encoder}"])
    assert dict(report._weights(other.settings, tmp_path)) == {"teacher": Weights(hub="some/encoder")}


def test_a_card_that_names_a_folder_means_it_from_where_it_stands(tmp_path: Path) -> None:
    file = project.write(tmp_path)
    card = tmp_path / "teachers" / "own.yaml"
    text = card.read_text()
    begin, end = (
        text.index("model:"),
        text.index("architecture: {layers: 2, hidden: 32, heads: 4, intermediate: 64}\ntrain"),
    )
    card.write_text(f"{text[:begin]}model: {{folder: weights}}\n{text[end:]}")
    assert dict(report._weights(load(file).settings, tmp_path))["teacher"].license == "MIT"
    other = load(file, ["teacher.model={folder: weights}"])
    assert dict(report._weights(other.settings, tmp_path))["teacher"].license is None


def test_two_recipes_of_one_precision_keep_their_own_limits(tmp_path: Path) -> None:
    exports = (
        "[{target: onnxruntime, precision: [fp16, int8], recipe: smooth, max_drop: 0.02, on_regression: fail}, "
        "{target: onnxruntime, precision: int8, max_drop: 0.03}]"
    )
    found = report._allowed(load(project.write(tmp_path), [f"export={exports}"]).settings)
    assert found == {
        "onnxruntime-fp16": {"max_drop": 0.02, "on_regression": "fail"},
        "onnxruntime-int8-smooth": {"max_drop": 0.02, "on_regression": "fail"},
        "onnxruntime-int8": {"max_drop": 0.03, "on_regression": "keep"},
    }


def test_the_versions_of_the_engines_and_their_recipes_are_told(tmp_path: Path) -> None:
    exports = "[{target: openvino, precision: int8}, {target: onnxruntime, precision: int8}]"
    found = list(report._engines(load(project.write(tmp_path), [f"export={exports}"]).settings))
    assert {"openvino", "nncf", "onnxruntime"} <= set(found)


def measured(**changes: Any) -> dict[str, Any]:
    """Measurements of the project's 40 test rows: the teacher is right, a student wrong here and there."""
    gold = [0, 1] * 20

    def variant(model: str, precision: str, *wrong: int, asked: bool = True) -> dict[str, Any]:
        answers = [1 - label if row in wrong else label for row, label in enumerate(gold)]
        named = {"model": model, "runtime": "onnxruntime", "precision": precision, "recipe": None}
        return {**named, "asked": asked, "predictions": pack(answers)}

    variants = [
        variant("teacher", "fp32"),
        variant("teacher", "fp16", 20),
        variant("small", "fp32", 3, 5, 30, asked=False),
        variant("small", "int8", 3, 7),
        variant("narrow", "int8", 7, 9, 11),
    ]
    labels = ["light", "music"]
    return {"labels": labels, "gold": pack(gold), "sureness": pack(range(40)), "variants": variants} | changes


def test_rows_are_told_in_words_of_every_student_and_variant_asked_for(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    settings = load(path, ["measure.shown_rows=2"]).settings
    found = report._rows(settings, measured(), tmp_path)
    assert [row["row"] for row in found["rows"]] == [3, 7, 9, 11]
    texts = [line.split("\t")[1] for line in (tmp_path / "test.tsv").read_text().splitlines()[1:]]
    assert all(row == {"row": row["row"], "text": texts[row["row"]], "text_pair": None} for row in found["rows"])
    found = report._rows(settings, measured(sureness=None), tmp_path)
    assert [row["row"] for row in found["rows"]] == [3, 7, 9]


def test_without_rows_in_words_no_text_is_in_the_report(tmp_path: Path) -> None:
    settings = load(project.write(tmp_path), ["measure.shown_rows=0"]).settings
    assert report._rows(settings, measured(), tmp_path) == {"columns": {}, "rows": []}


def test_a_long_text_is_cut_and_a_strange_one_stays(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    lines = (tmp_path / "test.tsv").read_text().splitlines()
    lines[4], lines[8] = f"music\t{'é' * 301}\thall", f"music\t<b>\x1b[31m{'x' * 292}\thall"
    (tmp_path / "test.tsv").write_text("\n".join(lines))
    found = {row["row"]: row["text"] for row in report._rows(load(path).settings, measured(), tmp_path)["rows"]}
    assert sorted(found) == [3, 7, 9, 11]
    assert found[3] == "é" * 299 + "…"
    assert found[7] == "<b>\x1b[31m" + "x" * 292


def test_columns_of_the_data_are_packed_with_their_values(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    settings = load(path, ["measure.columns=[room]"]).settings
    column = Column.model_validate(report._rows(settings, measured(), tmp_path)["columns"]["room"])
    rooms = [line.split("\t")[2] for line in (tmp_path / "test.tsv").read_text().splitlines()[1:]]
    assert [column.values[place] for place in unpack(column.rows)] == rooms
    assert list(column.values) == sorted(set(rooms))
