"""The voice-command example: its files are what its script writes, and its splits are apart."""

import runpy
from collections import Counter
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "voice_commands"
ROWS = {"train": 4000, "validation": 1000, "test": 2000}


def rows(split: str) -> list[tuple[str, str]]:
    header, *lines = (EXAMPLE / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "label\ttext"
    pairs = [tuple(line.split("\t")) for line in lines]
    assert all(len(pair) == 2 for pair in pairs)
    return [(label, text) for label, text in pairs]


def plain(text: str) -> str:
    return text.lower().rstrip(".")


def test_script_writes_the_shipped_files(tmp_path: Path) -> None:
    script = runpy.run_path(str(EXAMPLE / "generate.py"))
    script["generate"](tmp_path)
    for split in ROWS:
        assert (tmp_path / f"{split}.tsv").read_bytes() == (EXAMPLE / f"{split}.tsv").read_bytes(), split


@pytest.mark.parametrize(("split", "count"), ROWS.items())
def test_split_has_its_rows_in_balance(split: str, count: int) -> None:
    labels = Counter(label for label, _ in rows(split))
    assert labels.total() == count
    assert max(labels.values()) - min(labels.values()) <= 1


def test_every_split_has_the_same_labels() -> None:
    labels = {split: {label for label, _ in rows(split)} for split in ROWS}
    assert 15 <= len(labels["train"]) <= 20
    assert labels["train"] == labels["validation"] == labels["test"]
    assert all(label.replace("_", "").isalpha() and label.islower() for label in labels["train"])


def test_no_text_is_said_twice() -> None:
    texts = [plain(text) for split in ROWS for _, text in rows(split)]
    assert all(text.strip() == text and text for text in texts)
    assert len(set(texts)) == len(texts)


def test_only_the_test_split_says_what_is_new() -> None:
    said = {split: " ".join(plain(text) for _, text in rows(split)) for split in ROWS}
    for new in ("chandelier", "dishwasher", "balcony door", "kira dawnson", "rather than"):
        assert new in said["test"], new
        assert new not in said["train"], new
        assert new not in said["validation"], new


def test_texts_are_short() -> None:
    words = [len(text.split()) for split in ROWS for _, text in rows(split)]
    assert 6 <= sum(words) / len(words) <= 14
    assert max(words) <= 45


def test_readme_lists_the_labels() -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for label in {label for label, _ in rows("train")}:
        assert f"`{label}`" in readme, label
