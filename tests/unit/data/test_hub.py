"""Data sets of the Hub, played by local folders and by stand-ins for the library's call."""

import datasets
import pytest

from compress.config.settings import Data, Task
from compress.data import sources
from compress.errors import InputError, NotAvailable


@pytest.fixture
def serve(monkeypatch):
    """Make `load_dataset` give these splits; the calls are kept."""
    calls = []

    def serve(**splits):
        def load_dataset(name, config=None, *, split, revision=None):
            calls.append((name, config, split, revision))
            if split not in splits:
                raise ValueError(f'Unknown split "{split}". Should be one of {list(splits)}.')
            if isinstance(splits[split], Exception):
                raise splits[split]
            return splits[split]

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return calls

    return serve


def rows(texts, labels, names=None, column="label"):
    kind = (
        datasets.ClassLabel(names=names)
        if names
        else datasets.Value("string" if isinstance(labels[0], str) else "int64")
    )
    features = datasets.Features({"text": datasets.Value("string"), column: kind})
    return datasets.Dataset.from_dict({"text": texts, column: labels}, features=features)


def task(train=None, revision=None, config=None, labels=None, **keys):
    data = Data(hub="someone/things", train=train, config=config, revision=revision, **keys)
    return Task(type="text-classification", data=data, labels=labels)


def test_declared_classes_keep_their_order(serve, tmp_path):
    calls = serve(
        **{"train[:90%]": rows(["a", "b"], [1, 0], ["neg", "pos"]), "validation": rows(["c"], [1], ["neg", "pos"])}
    )
    one = task(train="train[:90%]", config="small", revision="abc")
    assert sources.label_names(one, tmp_path) == ("neg", "pos")
    assert sources.load(one, tmp_path, "train").labels == [1, 0]
    assert sources.load(one, tmp_path, "test").texts == ["c"]
    assert calls[-1] == ("someone/things", "small", "validation", "abc")
    assert sources.check(one, tmp_path) == []


def test_the_tasks_labels_reorder_declared_ones(serve, tmp_path):
    serve(train=rows(["a", "b"], [1, 0], ["neg", "pos"]))
    assert sources.load(task(labels=("pos", "neg")), tmp_path, "train").labels == [0, 1]


@pytest.mark.parametrize("labels", [["x", "y"], [3, 7]])
def test_undeclared_classes_are_found_in_training_rows(serve, tmp_path, labels):
    serve(train=rows(["a", "b"], labels), validation=rows(["c"], labels[1:]))
    assert sources.label_names(task(), tmp_path) == tuple(str(label) for label in labels)
    assert sources.load(task(), tmp_path, "validation").labels == [1]


def test_further_columns_are_named_by_their_classes(serve, tmp_path):
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "kind": datasets.ClassLabel(names=["short", "long"]),
            "shift": datasets.Value("int64"),
        }
    )
    columns = {"text": ["a", "b"], "label": [0, 1], "kind": [1, 0], "shift": [-1, 2]}
    serve(validation=datasets.Dataset.from_dict(columns, features=features))
    found = sources.columns(task(), tmp_path, ["shift", "kind"])
    assert found == {"shift": ["-1", "2"], "kind": ["long", "short"]}
    with pytest.raises(InputError, match=r"Did you mean `kind`\? `measure.columns.0` names it"):
        sources.columns(task(), tmp_path, ["kinds"])
    serve(validation=datasets.Dataset.from_dict({**columns, "kind": [1, -1]}, features=features))
    with pytest.raises(InputError, match=r"validation:2: no value \(column `kind`\)"):
        sources.columns(task(), tmp_path, ["kind"])


def test_a_split_without_labels_is_refused(serve, tmp_path):
    serve(train=rows(["a", "b"], [0, 1], ["n", "p"]), test=rows(["c", "d"], [-1, -1], ["n", "p"]))
    with pytest.raises(
        InputError, match=r"^someone/things/test: no row of this split has a label\. Take another split\.$"
    ):
        sources.load(task(test="test"), tmp_path, "test")


def test_single_rows_without_label_or_text_are_refused(serve, tmp_path):
    serve(train=rows(["a", "b", None, " "], [0, -1, 1, 1], ["n", "p"]))
    with pytest.raises(InputError) as caught:
        sources.load(task(), tmp_path, "train")
    assert [str(problem) for problem in caught.value.problems] == [
        "someone/things/train:2: no label (column `label`).",
        "someone/things/train:3: no text (column `text`).",
        "someone/things/train:4: empty text (column `text`).",
    ]


def test_columns_that_are_not_there(serve, tmp_path):
    serve(train=rows(["a", "b"], [0, 1], column="labels"))
    with pytest.raises(InputError, match=r"no column `label`; there is `text`, `labels`\. Did you mean `labels`\?"):
        sources.load(task(), tmp_path, "train")


def test_what_cannot_be_loaded_is_told(serve, tmp_path):
    serve(
        train=datasets.exceptions.DatasetNotFoundError("Dataset 'someone/things' doesn't exist on the Hub"),
        validation=ConnectionError("Couldn't reach 'someone/things' on the Hub (OfflineModeIsEnabled)"),
    )
    with pytest.raises(InputError, match="no data set `someone/things` that can be read"):
        sources.load(task(), tmp_path, "train")
    with pytest.raises(NotAvailable, match=r"Hub cannot be reached: .* Connect once, or give local files"):
        sources.load(task(labels=("a", "b")), tmp_path, "validation")
    with pytest.raises(InputError, match=r"`someone/things`, config `c`, split `dev`, cannot be loaded: Unknown split"):
        sources.load(task(train="dev", config="c"), tmp_path, "train")


def test_the_real_call_reads_a_folder_and_leaves_the_progress_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    local = Task(type="text-classification", data=Data(hub=str(folder)))
    datasets.enable_progress_bars()
    assert sources.load(local, tmp_path, "train").texts == ["a", "b"]
    assert datasets.is_progress_bar_enabled()
    with pytest.raises(InputError, match="cannot be loaded: Unknown split"):
        sources.load(local, tmp_path, "validation")


def test_digest_is_the_address(tmp_path):
    assert sources.digest(task(config="sst2", revision="abc", train="train[:9]"), tmp_path) == {
        "train": "someone/things@abc/sst2/train[:9]",
        "validation": "someone/things@abc/sst2/validation",
        "test": "someone/things@abc/sst2/validation",
    }
