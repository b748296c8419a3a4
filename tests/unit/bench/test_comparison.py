from pathlib import Path
from typing import Any

import numpy
import pytest

from compress.bench import comparison
from compress.bench.models import Model
from compress.errors import InputError, NotAvailable

Cells = list[list[dict[str, Any]]]


class Fake:
    """A target whose sessions keep what they are asked and end at a number of tokens."""

    def __init__(self, idle: str | None = None) -> None:
        self.idle, self.precisions = idle, {"fp32": None}
        self.log: list[str] = []
        self.asked: dict[str, list[dict[str, numpy.ndarray]]] = {}

    def unavailable(self) -> None:
        return None

    def unrunnable(self, precision: str) -> str | None:
        return self.idle

    def open(self, file: Path, settings: dict[str, int], *, threads: int) -> "Session":
        if settings.get("broken"):
            raise InputError(f"{file}: broken.")
        self.log.append(f"open {file} {threads}")
        return Session(self, str(file), settings.get("longest", 99))


class Session:
    def __init__(self, target: Fake, name: str, longest: int) -> None:
        self.target, self.name, self.longest = target, name, longest

    def __call__(self, feed: dict[str, numpy.ndarray]) -> None:
        if feed["input_ids"].shape[1] > self.longest:
            raise RuntimeError("too long\nat length")
        self.target.asked.setdefault(self.name, []).append(feed)

    def close(self) -> None:
        self.target.log.append(f"close {self.name}")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Every target is this one."""
    made = Fake()
    monkeypatch.setattr(comparison.TARGETS, "load", lambda name: made)
    return made


def model(name: str, **settings: int) -> Model:
    return Model(Path(name), "fake", settings, None, 1)


def compare(*models: Model, shapes: tuple[tuple[int, int], ...] = ((1, 4), (2, 8))) -> Cells:
    return comparison.compare(models, shapes, threads=2, rounds=4, seed=0, notify=lambda done, total, note: None)


def test_every_model_is_timed_at_every_shape_beside_the_first(fake: Fake) -> None:
    found = compare(model("a"), model("b"))
    assert [[(cell["batch"], cell["sequence"]) for cell in cells] for cells in found] == [[(1, 4), (2, 8)]] * 2
    for cell in found[0]:
        assert cell["to_first"] == {"value": 1, "low": 1, "high": 1}
    for first, cell in zip(*found, strict=True):
        assert cell["samples"] == 8
        assert cell["to_first"]["value"] == pytest.approx(first["p50_ms"] / cell["p50_ms"])
        assert cell["to_first"]["low"] <= cell["to_first"]["value"] <= cell["to_first"]["high"]
        assert cell["rows_per_s"] == pytest.approx(1000 * cell["batch"] / cell["p50_ms"])


def test_all_are_asked_the_same_rows_without_padding(fake: Fake) -> None:
    compare(model("a"), model("b"))
    for one, other in zip(fake.asked["a"], fake.asked["b"], strict=True):
        assert list(one) == ["input_ids", "attention_mask", "token_type_ids"]
        assert all(value.dtype == numpy.int64 for value in one.values())
        for name in one:
            numpy.testing.assert_array_equal(one[name], other[name])
        assert one["attention_mask"].all()
        assert one["input_ids"].min() > 4
    assert {feed["input_ids"].shape for feed in fake.asked["a"]} == {(1, 4), (2, 8)}


def test_progress_names_the_shape(fake: Fake) -> None:
    told: list[tuple[int, int, str]] = []
    comparison.compare(
        [model("a")], [(1, 4)], threads=1, rounds=2, seed=0, notify=lambda *progress: told.append(progress)
    )
    assert told == [(1, 2, "1 x 4, round"), (2, 2, "1 x 4, round")]


def test_every_model_that_cannot_be_opened_is_told_and_the_others_are_closed(fake: Fake) -> None:
    with pytest.raises(InputError) as told:
        compare(model("a", broken=1), model("b"), model("c", broken=1))
    assert str(told.value) == "a: broken.\nc: broken."
    assert fake.log == ["open b 2", "close b"]


def test_every_model_that_does_not_answer_is_told_before_anything_is_timed(fake: Fake) -> None:
    with pytest.raises(InputError) as told:
        compare(model("a", longest=6), model("b"), model("c", longest=2))
    assert str(told.value) == ("a: does not answer 2 x 8 tokens: too long\nc: does not answer 1 x 4 tokens: too long")
    assert len(fake.asked["b"]) == 2
    assert fake.log[3:] == ["close c", "close b", "close a"]


def test_a_target_that_does_not_run_here_is_not_available(fake: Fake) -> None:
    fake.idle = "no GPU is here."
    with pytest.raises(NotAvailable, match=r"^a: cannot be run here: no GPU is here\.$"):
        compare(model("a"))
