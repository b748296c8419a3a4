"""The CI example: its files are what its script writes, its splits are apart, and it has rows enough for its gate."""

import runpy
from collections import Counter
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "ci"
ROWS = {"train": 600, "validation": 100, "test": 1000}


def rows(split: str) -> list[list[str]]:
    header, *lines = (EXAMPLE / "data" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "label\ttext"
    return [line.split("\t") for line in lines]


def test_script_writes_the_shipped_files(tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLE / "generate.py"))["generate"](tmp_path)
    for split in ROWS:
        assert (tmp_path / f"{split}.tsv").read_bytes() == (EXAMPLE / "data" / f"{split}.tsv").read_bytes(), split


def test_labels_are_in_balance_and_no_message_is_there_twice() -> None:
    for split, count in ROWS.items():
        assert set(Counter(label for label, _ in rows(split)).values()) == {count // 4}
    texts = [text for split in ROWS for _, text in rows(split)]
    assert len(set(texts)) == len(texts)
