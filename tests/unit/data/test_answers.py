"""A teacher's answers in a file."""

import json
import math
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from compress.data import answers
from compress.errors import InputError

LABELS = ("light", "music")
GOOD = [{"row": 1, "logits": [0.5, -2]}, {"row": 0, "probabilities": {"music": 1.0, "light": 0}}]


def write(folder: Path, records: list[dict]) -> str:
    (folder / "answers.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return "answers.jsonl"


def test_rows_come_in_their_order_and_probabilities_as_logarithms(tmp_path: Path) -> None:
    assert answers.load(write(tmp_path, GOOD), tmp_path, LABELS, 2) == [[math.log(1e-6), 0], [0.5, -2]]


@pytest.mark.parametrize(
    "value",
    [
        pyarrow.array([[0.5, -2.0], [1.0, 0.0]]),
        pyarrow.array([{"music": -2.0, "light": 0.5}, {"light": 1.0, "music": 0.0}]),
    ],
)
def test_parquet(value: pyarrow.Array, tmp_path: Path) -> None:
    rows = pyarrow.array([1, 0])
    parquet.write_table(pyarrow.table({"row": rows, "logits": value, "text": ["x", "y"]}), tmp_path / "a.parquet")
    assert answers.load("a.parquet", tmp_path, LABELS, 2) == [[1, 0], [0.5, -2]]
    mapped = pyarrow.array([[("light", 0.5), ("music", -2.0)]] * 2, pyarrow.map_(pyarrow.string(), pyarrow.float64()))
    parquet.write_table(pyarrow.table({"row": rows, "logits": mapped}), tmp_path / "a.parquet")
    assert answers.load("a.parquet", tmp_path, LABELS, 2) == [[0.5, -2]] * 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"logits": [0, 1]}, "no `row`: the number of the training row, from 0."),
        ({"row": "0", "logits": [0, 1]}, '`row` is "0". Give the number of the training row, from 0.'),
        ({"row": True, "logits": [0, 1]}, "`row` is true."),
        ({"row": -1, "logits": [0, 1]}, "`row` is -1."),
        ({"row": 3, "logits": [0, 1]}, "there is no training row 3; they are 0 to 2."),
        ({"row": 1, "logits": [0, 1]}, "row 1 is answered in line 1 already."),
        ({"row": 2}, "neither `logits` nor `probabilities`. Give one of them."),
        ({"row": 2, "logits": [0, 1], "probabilities": [0, 1]}, "both `logits` and `probabilities`. Give one of them."),
        ({"row": 2, "logits": [0]}, "`logits` has 1 numbers for 2 labels: `light`, `music`."),
        (
            {"row": 2, "logits": {"light": 1, "noise": 2}},
            "`logits` are of `light`, `noise`; the labels are `light`, `music`.",
        ),
        ({"row": 2, "logits": [0, "x"]}, '`logits` is [0, "x"]. Give finite numbers'),
        ({"row": 2, "logits": [0, math.nan]}, "`logits` is [0, NaN]. Give finite numbers"),
        ({"row": 2, "logits": "x"}, '`logits` is "x". Give finite numbers'),
        ({"row": 2, "probabilities": [0.5, 0.6]}, "Give numbers from 0 to 1 that sum up to 1."),
        ({"row": 2, "probabilities": [1.5, -0.5]}, "Give numbers from 0 to 1 that sum up to 1."),
    ],
)
def test_a_mistake_is_told_with_its_line(record: dict, message: str, tmp_path: Path) -> None:
    found = [str(problem) for problem in answers.check(write(tmp_path, [*GOOD, record]), tmp_path, LABELS, 3)]
    assert any(line.startswith("answers.jsonl:3: ") and message in line for line in found), found


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    given = write(tmp_path, [{"row": 0, "logits": [0]}, {"row": 1}, *({"row": 0, "logits": [0, 1]} for _ in range(30))])
    with pytest.raises(InputError) as caught:
        answers.load(given, tmp_path, LABELS, 14)
    told = [str(problem) for problem in caught.value.problems]
    assert told[0] == "answers.jsonl: 12 of 14 training rows are not answered: row 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …."
    assert told[1].startswith("answers.jsonl:1: ")
    assert (len(told), told[-1]) == (21, "answers.jsonl: and 13 more.")


def test_without_the_number_of_rows_the_records_alone_are_checked(tmp_path: Path) -> None:
    assert answers.check(write(tmp_path, GOOD), tmp_path, LABELS, None) == []


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "answers.csv").write_text("row,logits\n")
    (tmp_path / "bad.parquet").write_text("no")
    assert "Did you mean `answers.jsonl`?" in str(answers.check("answer.jsonl", tmp_path, LABELS, 2)[0])
    assert "Known: `.jsonl`, `.parquet`." in str(answers.check("answers.csv", tmp_path, LABELS, 2)[0])
    assert "not a Parquet file" in str(answers.check("bad.parquet", tmp_path, LABELS, 2)[0])
