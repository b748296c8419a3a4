"""What pruning removes is what was asked for, or an error before the recovery."""

from pathlib import Path
from typing import Any

import pytest
import tiny
from transformers import AutoTokenizer

from compress.config import settings
from compress.encoders import checkpoint
from compress.errors import InputError
from compress.files import read_json
from compress.stages import prune
from compress.stages.context import Context
from compress.training.history import History


def pruned(folder: Path, monkeypatch: pytest.MonkeyPatch, family: str = "bert", **asked: Any) -> Any:
    """`structure.json` of a tiny model of 2 layers, 4 heads and 64 neurons each; the recovery is left out."""
    checkpoint.save(tiny.model(family), folder / "model")
    tiny.tokenizer(folder / "model")
    (folder / "rows.tsv").write_text("label\ttext\na\tthe good film\nb\ta dull film\nc\tlight on\n")
    data = settings.Data(train="rows.tsv", validation="rows.tsv")
    task = settings.Task(type="text-classification", data=data, max_length=16)
    student = settings.Student(use="tiny", prune=settings.Prune(importance="magnitude", **asked))
    trained = []

    def learn(*_: object, **__: object) -> History:
        trained.append(True)
        return History(0, 0, 0, 0.0, "fp32")

    monkeypatch.setattr(prune, "learn", learn)
    context = Context("prune/tiny", folder / "out", folder, folder, 0, lambda done, total, note: None)
    (folder / "out").mkdir()
    needs = prune.Needs(folder / "model", folder / "model")
    try:
        prune.prune(prune.Settings(task, student), needs, context)
    except InputError:
        assert not trained
        raise
    assert trained
    return read_json(folder / "out" / "structure.json")


def test_the_asked_and_the_removed_shares_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, heads=0.5, neurons=0.76)
    assert found["shares"] == {
        "heads": {"asked": 0.5, "removed": 0.5},
        "neurons": {"asked": 0.76, "removed": 0.75},
    }
    assert sum(layer["neurons"] for layer in found["layers"]) == 32


@pytest.mark.parametrize(
    ("family", "share", "removed"), [("bert", 0.3, 0.25), ("bert", 0.3125, 0.375), ("albert", 0.4, 0.5)]
)
def test_rounding_to_a_whole_head_is_no_mistake(
    family: str, share: float, removed: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pruned(tmp_path, monkeypatch, family, heads=share)
    assert found["shares"]["heads"] == {"asked": share, "removed": removed}


def test_shares_that_cannot_be_reached_are_refused_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        pruned(tmp_path, monkeypatch, heads=0.99, neurons=0.9, multiple=16)
    assert str(caught.value).splitlines() == [
        "students.tiny.prune.heads: 0.99 of all heads was asked for, 0.75 is the nearest that can be removed: "
        "every layer keeps a head. Give 0.75.",
        "students.tiny.prune.neurons: 0.9 of all neurons was asked for, 0.75 is the nearest that can be removed: "
        "with `multiple: 16` a layer that is cut keeps a multiple of 16 neurons. Give 0.75, or a smaller `multiple`.",
    ]


@pytest.mark.parametrize(("multiple", "near"), [(64, "0"), (128, "0"), (32, "0.25")])
def test_steps_that_are_too_coarse_are_refused(
    multiple: int, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        InputError, match=rf"0.3 of all neurons was asked for, {near} is the nearest .*smaller `multiple`"
    ):
        pruned(tmp_path, monkeypatch, neurons=0.3, multiple=multiple)


def test_tokens_can_be_all_that_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pruned(tmp_path, monkeypatch, vocabulary={"min_frequency": 1})
    letters = 2 * 26 + len([".", ","]) + 5  # single characters, special tokens; of the words, those of the rows
    seen = {"the", "good", "film", "dull", "light", "on"}
    whole = len(AutoTokenizer.from_pretrained(tmp_path / "model"))
    assert found["vocabulary"] == {"before": whole, "after": letters + len(seen), "train": 1, "validation": 1}
    assert found["layers"] == [{"heads": 4, "neurons": 64}] * 2
    assert checkpoint.load(tmp_path / "out").config.vocab_size == letters + len(seen)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out")) == letters + len(seen)


def test_a_size_that_cannot_be_is_refused_before_the_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^students\.tiny\.prune\.vocabulary: the tokenizer has 7. tokens"):
        pruned(tmp_path, monkeypatch, vocabulary={"size": 90})
