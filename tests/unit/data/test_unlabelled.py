"""Rows without labels: where they may come from, what is refused, and where they count."""

import datasets
import pytest

from compress.config.settings import Data, Task
from compress.data import sources
from compress.data.sources import Rows
from compress.errors import InputError

GOOD = "text\tlabel\nturn it on\ton\nturn it off\toff\n"


def task(unlabelled, columns=None, **keys):
    data = Data(train="train.tsv", validation="dev.tsv", unlabelled=unlabelled, columns=columns)
    return Task(**{"type": "text-classification", "data": data, **keys})


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        (tmp_path / name).write_text(content, encoding="utf-8")

    write("train.tsv", GOOD)
    write("dev.tsv", GOOD)
    return write


FILES = {
    "more.tsv": "text\nplay it\nstop it\n",
    "labelled.tsv": "label\ttext\nnobody reads this\tplay it\n\tstop it\n",
    "more.csv": 'id,text\n1,play it\n2,"stop it"\n',
    "more.txt": "play it\nstop it\n",
    "more.jsonl": '{"text": "play it"}\n{"text": "stop it", "label": null}\n',
}


@pytest.mark.parametrize("name", FILES)
def test_rows_come_without_labels(name, write, tmp_path):
    write(name, FILES[name])
    assert sources.check(task(name), tmp_path) == []
    assert sources.load(task(name), tmp_path, "unlabelled") == Rows(["play it", "stop it"], None, [-100, -100])


@pytest.mark.parametrize("content", ["play it\nstop it\n", "on\tplay it\n\tstop it\n"])
def test_without_a_header_the_labels_column_may_be_missing(content, write, tmp_path):
    for name in ("train.tsv", "dev.tsv"):
        write(name, "on\tturn it on\noff\tturn it off\n")
    write("more.tsv", content)
    bare = task("more.tsv", columns=("label", "text"))
    assert sources.check(bare, tmp_path) == []
    assert sources.load(bare, tmp_path, "unlabelled").texts == ["play it", "stop it"]


def test_pairs_need_both_texts(write, tmp_path):
    for name in ("train.tsv", "dev.tsv"):
        write(name, "a\tb\tlabel\nx\ty\ton\nx\tz\toff\n")
    keys = {"type": "text-pair-classification", "text": "a", "text_pair": "b"}
    write("more.tsv", "b\ta\nsecond\tfirst\n")
    assert sources.load(task("more.tsv", **keys), tmp_path, "unlabelled") == Rows(["first"], ["second"], [-100])
    write("more.txt", "first\n")
    with pytest.raises(InputError, match="one text a line, these rows have two"):
        sources.load(task("more.txt", **keys), tmp_path, "unlabelled")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("more.txt", "play it\n\nstop it\n", "more.txt:2: empty text (column `text`)."),
        ("more.txt", "text\nplay it\n", "more.txt:1: this line looks like a header or like columns."),
        ("more.txt", "on\tplay it\n", "more.txt:1: this line looks like a header or like columns."),
        ("more.txt", "", "more.txt: there are no rows."),
        ("more.tsv", "texts\nplay it\n", "more.tsv:1: no column `text`; there is `texts`. Did you mean `texts`?"),
        ("more.jsonl", '{"text": 3}\n', "more.jsonl:1: `text` is 3. Give a text."),
    ],
)
def test_what_cannot_be_used_is_named_beside_the_other_files_mistakes(name, content, message, write, tmp_path):
    write(name, content)
    write("dev.tsv", "text\tlabel\nturn it on\tno\n")
    found = [str(problem) for problem in sources.check(task(name), tmp_path)]
    assert found[0].startswith("dev.tsv:2: the label `no` is not known.")
    assert found[1].startswith(message)
    with pytest.raises(InputError):
        sources.load(task(name), tmp_path, "unlabelled")


def test_a_file_that_is_not_there(write, tmp_path):
    assert "there is no file" in str(sources.check(task("trian.tsv"), tmp_path)[0])


def test_splits_of_the_hub_need_no_labels(monkeypatch, tmp_path):
    for columns in ({"text": ["a", "b"], "label": [-1, -1]}, {"text": ["a", "b"]}):
        monkeypatch.setattr(datasets, "load_dataset", lambda *_, c=columns, **__: datasets.Dataset.from_dict(c))
        one = Task(type="text-classification", data=Data(hub="someone/things", unlabelled="test", revision="abc"))
        assert sources.load(one, tmp_path, "unlabelled") == Rows(["a", "b"], None, [-100, -100])
    assert sources.digest(one, tmp_path)["unlabelled"] == "someone/things@abc/default/test"


def test_their_content_and_their_overlaps_count(write, tmp_path):
    write("more.txt", "Turn it ON\nelse\n")
    assert sources.overlaps(task("more.txt"), tmp_path, "unlabelled") == {"validation": 1}
    before = sources.digest(task("more.txt"), tmp_path)
    write("more.txt", "else\n")
    after = sources.digest(task("more.txt"), tmp_path)
    assert {split for split in before if before[split] != after[split]} == {"unlabelled"}


def test_rows_of_several_origins_follow_each_other():
    parts = [Rows(["a"], ["b"], [1]), Rows(["c", "d"], ["e", "f"], [-100, -100])]
    assert sources.joined(parts) == Rows(["a", "c", "d"], ["b", "e", "f"], [1, -100, -100])
    assert sources.joined([Rows(["a"], None, [0])] * 2) == Rows(["a", "a"], None, [0, 0])
