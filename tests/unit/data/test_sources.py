"""Rows of local files: what is read, what is refused, and with which words."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.config.settings import Data, Task
from compress.data import formats, sources
from compress.data.sources import Rows
from compress.errors import InputError

GOOD = "text\tlabel\nturn it on\ton\nturn it off\toff\n"


def task(train="train.tsv", validation="dev.tsv", test=None, columns=None, **keys):
    keys = {"type": "text-classification", **keys}
    return Task(data=Data(train=train, validation=validation, test=test, columns=columns), **keys)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    for name in ("train.tsv", "dev.tsv"):
        write(name, GOOD)
    return write


def problems(folder, **keys):
    return [str(problem) for problem in sources.check(task(**keys), folder)]


def test_rows_and_names(write, tmp_path):
    write("dev.tsv", "label\tnote\ttext\non\tx\tdo it\n")
    assert sources.check(task(), tmp_path) == []
    assert sources.label_names(task(), tmp_path) == ("off", "on")
    assert sources.load(task(), tmp_path, "train") == Rows(["turn it on", "turn it off"], None, [1, 0])
    assert sources.load(task(), tmp_path, "validation") == Rows(["do it"], None, [1])
    assert sources.load(task(), tmp_path, "test") == sources.load(task(), tmp_path, "validation")


def test_the_tasks_own_order_of_labels(write, tmp_path):
    ordered = task(labels=("on", "off", "dim"))
    assert sources.label_names(ordered, tmp_path) == ("on", "off", "dim")
    assert sources.load(ordered, tmp_path, "train").labels == [0, 1]


def test_pairs(write, tmp_path):
    write("train.tsv", 'label\ta\tb\n1\the said "no\t" he did\n0\tx\ty\n')
    pairs = task(type="text-pair-classification", text="a", text_pair="b", validation="train.tsv")
    assert sources.load(pairs, tmp_path, "train") == Rows(['he said "no', "x"], ['" he did', "y"], [1, 0])


VALUES = [
    "NA",
    "null",
    "None",
    "nan",
    "1.0",
    "007",
    "1e5",
    " both ends ",
    '"',
    "trailing ",
    "2020-01-01",
    "a\rb",
    "\u2028x",
    "a\x85b",
    "é",
]


@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".csv", ".jsonl", ".parquet"])
def test_values_stay_as_they_are_written(suffix, tmp_path):
    rows = [{"text": value, "label": label} for value in VALUES for label in ("NA", "null", "01", "1", "1.0", "true")]
    path = tmp_path / f"train{suffix}"
    if suffix == ".csv":
        lines = ["text,label", *('"{}",{}'.format(row["text"].replace('"', '""'), row["label"]) for row in rows)]
        path.write_bytes("\n".join(lines).encode())
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    elif suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_bytes("\n".join(["text\tlabel", *(f"{row['text']}\t{row['label']}" for row in rows)]).encode())
    local = task(train=path.name, validation=path.name)
    assert problems(tmp_path, train=path.name, validation=path.name) == []
    read = sources.load(local, tmp_path, "train")
    names = sources.label_names(local, tmp_path)
    assert names == ("01", "1", "1.0", "NA", "null", "true")
    assert read.texts == [row["text"] for row in rows]
    assert [names[label] for label in read.labels] == [row["label"] for row in rows]


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda x: not x.isspace()
)


@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=2, max_size=5))
def test_any_text_survives_json_lines(tmp_path_factory, rows):
    rows = [*rows, ("x", rows[0][1] + "!")]
    path = tmp_path_factory.mktemp("json") / "train.jsonl"
    path.write_text(
        "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=len(text) % 2 == 0) for text, label in rows),
        "utf-8",
        newline="\n",
    )
    local = task(train=path.name, validation=path.name)
    read, names = sources.load(local, path.parent, "train"), sources.label_names(local, path.parent)
    assert [(text, names[label]) for text, label in zip(read.texts, read.labels, strict=True)] == rows


def test_byte_order_mark_crlf_and_blank_lines_at_the_end(write, tmp_path):
    write("train.tsv", b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode() + b"\r\n\n")
    write("dev.csv", '\ufefftext,label\r\n"two\r\nlines, one ""row""",on\r\n\r\n')
    local = task(validation="dev.csv")
    assert sources.check(local, tmp_path) == []
    assert sources.load(local, tmp_path, "train").texts == ["turn it on", "turn it off"]
    assert sources.load(local, tmp_path, "validation").texts == ['two\r\nlines, one "row"']


def test_files_without_a_header(write, tmp_path):
    write("train.tsv", "on\tturn it on\noff\tturn it off\n")
    bare = task(validation="train.tsv", columns=("label", "text"))
    assert sources.load(bare, tmp_path, "train") == Rows(["turn it on", "turn it off"], None, [1, 0])
    write("train.tsv", "label\ttext\non\tturn it on\n")
    assert problems(tmp_path, validation="train.tsv", columns=("label", "text")) == [
        "train.tsv:1: this is a header line. Leave out `task.data.columns`, or remove the line."
    ]
    assert problems(tmp_path, validation="train.tsv", columns=("label", "txt")) == [
        "train.tsv:1: no column `text`; there is `label`, `txt`. Did you mean `txt`? `task.text` names it."
    ]


def test_whole_numbers_and_booleans_are_labels_in_json(write, tmp_path):
    write("train.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b", "label": true}\n{"text": "c", "label": "1"}\n')
    local = task(train="train.jsonl", validation="train.jsonl")
    assert sources.label_names(local, tmp_path) == ("1", "true")
    assert sources.load(local, tmp_path, "train").labels == [0, 1, 0]


def test_everything_wrong_is_told_at_once(write, tmp_path):
    write("train.tsv", b"text\tlabel\na\ton\n\toff\nb\t \n\nc\non\toff\tx\nd\xe9\toff\ne\0\toff\nf\toff\n")
    write("dev.tsv", "text\tlabel\na\toof\n")
    assert problems(tmp_path) == [
        "train.tsv:3: empty text (column `text`).",
        "train.tsv:4: empty label (column `label`).",
        "train.tsv:5: an empty line.",
        "train.tsv:6: 1 column, 2 are expected (`text`, `label`).",
        "train.tsv:7: 3 columns, 2 are expected (`text`, `label`).",
        "train.tsv:8: byte 0xE9 is not UTF-8. Save the file as UTF-8.",
        "train.tsv:9: a NUL byte. Is the file damaged, or not text?",
        "dev.tsv:2: the label `oof` is not known. Did you mean `off`? Known: `off`, `on`.",
    ]
    with pytest.raises(InputError) as caught:
        sources.load(task(), tmp_path, "train")
    assert len(caught.value.problems) == 7
    with pytest.raises(InputError, match=r"train\.tsv:3"):
        sources.label_names(task(), tmp_path)
    with pytest.raises(InputError, match=r"dev\.tsv:2: the label `oof`"):
        sources.load(task(labels=("on", "off")), tmp_path, "validation")


def test_json_lines_that_cannot_be_used(write, tmp_path):
    lines = [
        '{"text": "a", "label": "on"}',
        '{"text": "b", "label": "off"',
        '["b", "off"]',
        '{"txt": "b", "label": "off"}',
        '{"text": 3, "label": 1.5}',
        '{"text": null, "label": null}',
        '{"text": "\\ud800", "label": "off"}',
        '{"text": "x\\u0000", "label": "off"}',
        "[" * 100000,
    ]
    write("train.jsonl", "\n".join(lines))
    found = problems(tmp_path, train="train.jsonl", validation="train.jsonl")
    assert found[:-1] == [
        "train.jsonl:2: not JSON: Expecting ',' delimiter at letter 29.",
        'train.jsonl:3: not a JSON object. Each line holds one, such as `{"text": …, "label": …}`.',
        "train.jsonl:4: no column `text`; there is `txt`, `label`. Did you mean `txt`? `task.text` names it.",
        "train.jsonl:5: `text` is 3. Give a text.",
        "train.jsonl:5: `label` is 1.5. Give a text or a whole number.",
        "train.jsonl:6: no text (column `text`).",
        "train.jsonl:6: no label (column `label`).",
        "train.jsonl:7: `text` holds half of a surrogate pair (\\ud800 … \\udfff).",
        "train.jsonl:8: `text` holds a NUL character.",
    ]
    assert found[-1].startswith("train.jsonl:9: not JSON")


def test_csv_carriage_returns_need_quotes(write, tmp_path):
    write("train.csv", 'text,label\n"a\rb",on\n"c\r\nd",off\n,on\ne\rf,off\ng,on\n')
    assert problems(tmp_path, train="train.csv", validation="train.csv") == [
        "train.csv:5: empty text (column `text`).",
        "train.csv:6: not CSV: a carriage return in a field without quotes.",
    ]


def test_csv_quotes_that_do_not_close(write, tmp_path):
    write("train.csv", 'text,label\na,on\n"b\nc",off\n"d,off\ne,on\n')
    assert problems(tmp_path, train="train.csv", validation="train.csv") == [
        "train.csv:5: not CSV: unexpected end of data. Is a quote that opens in this row not closed, or not doubled inside?"
    ]


def test_columns_that_are_not_there(write, tmp_path):
    write("train.tsv", "sentence\tlabels\na\ton\n")
    assert problems(tmp_path, validation="train.tsv") == [
        "train.tsv:1: no column `text`; there is `sentence`, `labels`. `task.text` names it.",
        "train.tsv:1: no column `label`; there is `sentence`, `labels`. Did you mean `labels`? `task.label` names it.",
        "train.tsv:1: if the first line is no header, name the columns in `task.data.columns`.",
    ]
    write("train.tsv", "text\tlabel\ttext\na\ton\tb\n")
    assert problems(tmp_path, validation="train.tsv")[0] == "train.tsv:1: there are several columns `text`."


def test_twenty_problems_are_named_and_the_rest_counted(write, tmp_path):
    write("train.tsv", GOOD + "x\t\n" * 50)
    found = problems(tmp_path)
    assert len(found) == 21
    assert found[19] == "train.tsv:23: empty label (column `label`)."
    assert found[20] == "train.tsv: and 30 more."


@pytest.mark.parametrize("content", ["", "\n", "text\tlabel\n", "\ufeff"])
def test_no_rows_are_refused(content, write, tmp_path):
    write("dev.tsv", content)
    assert problems(tmp_path) == ["dev.tsv: there are no rows."]


def test_one_class_alone_is_refused_for_training_only(write, tmp_path):
    write("dev.tsv", "text\tlabel\na\ton\n")
    assert problems(tmp_path) == []
    assert problems(tmp_path, train="dev.tsv") == [
        "dev.tsv: every row has the label `on`. A classifier needs rows of two labels or more."
    ]


def test_rows_come_from_plain_files_of_lines(write, tmp_path):
    os.mkfifo(tmp_path / "pipe.tsv")
    (tmp_path / "zeros.jsonl").symlink_to("/dev/zero")
    for name in ("pipe.tsv", "zeros.jsonl"):
        assert problems(tmp_path, train=name) == [
            f"{name}: {tmp_path / name} cannot be read: Is a pipe or a device, not a file."
        ]
    with (tmp_path / "wide.csv").open("wb") as stream:
        stream.write(GOOD.encode())
        stream.truncate(10**9)
    assert problems(tmp_path, train="wide.csv") == [
        f"wide.csv:{GOOD.count(chr(10)) + 1}: the line is longer than 10 MB. Is the file damaged, or not text?"
    ]


def test_files_that_cannot_be_read(write, tmp_path):
    write("dev.tsv", GOOD.encode("utf-16"))
    write("test.parquet", b"PAR1 no more")
    (tmp_path / "folder.tsv").mkdir()
    assert problems(tmp_path, train="tran.tsv", test="test.parquet")[:2] == [
        f"tran.tsv: there is no file {tmp_path / 'tran.tsv'}. Did you mean `train.tsv`?",
        "dev.tsv:1: the file is UTF-16. Save it as UTF-8.",
    ]
    assert problems(tmp_path, test="test.parquet")[1].startswith("test.parquet: not a Parquet file that can be read: ")
    assert problems(tmp_path, train="folder.tsv", validation="x.xlsx") == [
        f"folder.tsv: {tmp_path / 'folder.tsv'} cannot be read: Is a directory.",
        "x.xlsx: the file's ending says no format that can be read. "
        "Known: `.tsv`, `.txt` (tab-separated), `.csv`, `.jsonl`, `.parquet`.",
    ]
    with pytest.raises(InputError, match="no file"):
        sources.digest(task(train="tran.tsv"), tmp_path)


def test_a_small_parquet_file_of_endless_equal_rows_is_not_read(tmp_path):
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    same = pyarrow.DictionaryArray.from_arrays(np.zeros(2_000_000, np.int8), ["the same"])
    parquet.write_table(pyarrow.table({"text": same, "label": same}), tmp_path / "train.parquet")
    assert "2,000,000 rows of" in formats.read(tmp_path / "train.parquet", {"text": "text"}, None).wrong[0][1]
    assert "2,000,000 rows of" in formats.records(tmp_path / "train.parquet")[1][0][1]


def test_parquet_columns_and_types(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"text": ["a", None, "c"], "label": [0, 1, 1], "score": [0.5, 1.0, 2.0]}), tmp_path / "a.parquet"
    )
    assert problems(tmp_path, train="a.parquet", validation="a.parquet") == ["a.parquet:2: no text (column `text`)."]
    assert problems(tmp_path, train="a.parquet", validation="a.parquet", text="words") == [
        "a.parquet: no column `words`; there is `text`, `label`, `score`. `task.text` names it."
    ]
    assert problems(tmp_path, train="a.parquet", validation="a.parquet", label="score")[0] == (
        "a.parquet:1: `score` is 0.5. Give a text or a whole number."
    )


PLACED = "text\tlabel\tsource\tpart\nturn it on\ton\tapp\t1\nturn it off\toff\twatch\t2\ndim it\toff\tapp\t2\n"


@pytest.mark.parametrize("test", ["test.tsv", "dev.tsv", "train.tsv"])
def test_further_columns_are_those_of_the_test_rows(test, write, tmp_path):
    write(test, PLACED)
    placed = task(test=test)
    assert sources.check(placed, tmp_path, ["source", "part"]) == []
    found = sources.columns(placed, tmp_path, ["part", "source"])
    assert found == {"part": ["1", "2", "2"], "source": ["app", "watch", "app"]}
    assert sources.columns(placed, tmp_path, []) == {}
    absent = f"{test}:1: no column `sorce`; there is `text`, `label`, `source`, `part`. Did you mean `source`? "
    (said,) = (str(problem) for problem in sources.check(placed, tmp_path, ["source", "sorce"]))
    assert said == f"{absent}`measure.columns.1` names it."
    with pytest.raises(InputError, match="Did you mean `source`"):
        sources.columns(placed, tmp_path, ["sorce"])


def test_further_columns_say_something_of_every_row(write, tmp_path):
    write("dev.tsv", "text\tlabel\tsource\na\ton\tapp\nb\toff\t \nc\toff\t\n")
    assert [str(problem) for problem in sources.check(task(), tmp_path, ["source"])] == [
        "dev.tsv:3: empty value (column `source`).",
        "dev.tsv:4: empty value (column `source`).",
    ]
    write(
        "dev.jsonl",
        '{"text": "a", "label": "on", "s": 3}\n{"text": "b", "label": "on", "s": null}\n{"text": "c", "label": "on", "s": 0.5}',
    )
    assert [str(problem) for problem in sources.check(task(validation="dev.jsonl"), tmp_path, ["s"])] == [
        "dev.jsonl:2: no value (column `s`).",
        "dev.jsonl:3: `s` is 0.5. Give a text or a whole number.",
    ]


def test_a_column_of_many_values_parts_nothing(write, tmp_path):
    write("dev.tsv", "text\tlabel\tid\n" + "".join(f"a\ton\t{row}\n" for row in range(101)))
    said = "dev.tsv: the column `id` has 101 different values; 100 are allowed. `measure.columns.0` names it."
    assert [str(problem) for problem in sources.check(task(), tmp_path, ["id"])] == [said]
    with pytest.raises(InputError, match="101 different values"):
        sources.columns(task(), tmp_path, ["id"])
    write("dev.tsv", "text\tlabel\tid\n" + "".join(f"a\ton\t{row}\n" for row in range(100)))
    assert sources.check(task(), tmp_path, ["id"]) == []


def test_further_columns_of_parquet(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"text": ["a", "c"], "label": [0, 1], "year": [1999, 2001]}), tmp_path / "a.parquet"
    )
    assert sources.columns(task("a.parquet", "a.parquet"), tmp_path, ["year"]) == {"year": ["1999", "2001"]}


def test_duplicates_ignore_case_and_blanks():
    train = Rows(["Turn it  on", "off"], None, [0, 1])
    assert sources.duplicates(train, Rows([" turn IT on ", "on", "OFF", "off"], None, [0, 0, 0, 0])) == 3
    pairs = Rows(["a", "a"], ["b", "c"], [0, 1])
    assert sources.duplicates(pairs, Rows(["A", "c"], ["B", "a"], [0, 1])) == 1


def test_overlaps_count_rows_of_each_file_that_are_in_the_training_file(write, tmp_path):
    write("dev.tsv", "label\ttext\non\tTURN  it on\noff\tdim it\n")
    assert sources.overlaps(task(), tmp_path) == {"validation": 1}
    assert sources.overlaps(task(test="train.tsv"), tmp_path) == {"validation": 1, "test": 2}
    write("test.tsv", "text\tlabel\nnew\ton\n")
    assert sources.overlaps(task(test="test.tsv"), tmp_path) == {"validation": 1, "test": 0}
    assert sources.overlaps(Task(type="text-classification", data=Data(hub="x/y")), tmp_path) == {}


def test_overlaps_of_pairs_take_both_texts(write, tmp_path):
    write("train.tsv", "a\tb\tlabel\nx\ty\ton\n")
    write("dev.tsv", "a\tb\tlabel\nx\ty\ton\nx\tz\ton\n")
    pairs = task(type="text-pair-classification", text="a", text_pair="b")
    assert sources.overlaps(pairs, tmp_path) == {"validation": 1}


def test_overlaps_leave_rows_aside_that_cannot_be_used(write, tmp_path):
    write("train.tsv", "text\tlabel\n\ton\na\toff\n")
    write("dev.tsv", "text\tlabel\n\ton\n \ton\na\tother\n")
    assert sources.overlaps(task(test="nowhere.tsv"), tmp_path) == {"validation": 1, "test": 0}


def test_digest_follows_the_content(write, tmp_path):
    before = sources.digest(task(), tmp_path)
    assert set(before) == {"train", "validation", "test"}
    assert before["train"] == before["test"]
    write("dev.tsv", GOOD + "x\ton\n")
    after = sources.digest(task(), tmp_path)
    assert after["train"] == before["train"]
    assert after["validation"] == after["test"] != before["validation"]


def test_checking_imports_nothing_heavy(write, tmp_path):
    code = (
        "import sys, pathlib; from compress.config.settings import Data, Task; from compress.data import sources\n"
        "task = Task(type='text-classification', data=Data(train='train.tsv', validation='dev.tsv'))\n"
        f"root = pathlib.Path({str(tmp_path)!r}); assert sources.check(task, root) == []; sources.overlaps(task, root); sources.digest(task, root)\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'pandas', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
