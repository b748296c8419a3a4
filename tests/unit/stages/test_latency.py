"""All candidates are timed in the same rounds, each on its own tokens."""

import dataclasses
from pathlib import Path

import graphs
import numpy as np
import pytest
import tiny

from compress.bench import timer
from compress.config import settings
from compress.data.batches import Encoded, encode
from compress.data.sources import Rows
from compress.quantization.dynamic import dynamic
from compress.report.variant import Cell
from compress.stages.candidate import Candidate
from compress.stages.latency import Feed, latency
from compress.stages.progress import Progress

TASK = settings.Task(type="text-classification", data=settings.Data(train="a.tsv", validation="b.tsv"), max_length=32)


@pytest.fixture
def rows(tmp_path: Path) -> Encoded:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(tiny.WORDS, generator.integers(1, 24))) for _ in range(300)]
    return encode(Rows(texts, None, [0] * len(texts)), tiny.tokenizer(tmp_path), TASK)


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    file = tmp_path / "model.onnx"
    dynamic(graphs.graph(), file, graphs.material())
    return Candidate("tiny", "onnxruntime", "int8", None, file, {}, {}, tmp_path)


class _Asked:
    """A session that notes what it is asked."""

    def __init__(self, fed: list[np.ndarray]) -> None:
        self.fed = fed

    def __call__(self, feed: Feed) -> None:
        self.fed.append(feed["input_ids"])

    def close(self) -> None:
        """Nothing is held."""


def test_every_round_is_told(rows: Encoded, candidate: Candidate) -> None:
    told: list[tuple[int, int, str]] = []
    progress = Progress(lambda *news: told.append(news), 3)
    latency([candidate], {"tiny": rows}, settings.Measure(batch=[1], sequence=[8], rounds=5), 0, progress)
    assert told[4:6] == [(0, 3, "timing at 1 x 8, round 5 of 5"), (1, 3, "timed at 1 x 8")]
    assert told[-2:] == [(1, 3, "timing on real rows, round 200 of 200"), (2, 3, "timed on real rows")]


def test_each_session_is_timed_on_its_own_rows(
    rows: Encoded, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    monkeypatch.setattr(Candidate, "open", lambda self, threads: _Asked(asked.setdefault(self.model, [])))
    read = {"teacher": rows, "tiny": dataclasses.replace(rows, ids=rows.ids + 100)}
    candidates = [candidate._replace(model=name) for name in read]
    latency(candidates, read, settings.Measure(batch=[1], sequence=[8], rounds=3), 0, Progress(lambda *news: None, 2))
    assert {(np.concatenate([ids.ravel() for ids in fed]) >= 100).all() for fed in asked.values()} == {True, False}
    assert min(ids.min() for ids in asked["tiny"]) >= 100 > max(ids.max() for ids in asked["teacher"])


def test_every_cell_has_its_intervals_all_of_the_same_draws(
    rows: Encoded, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.random.default_rng(0).lognormal(0, 0.2, 200)

    def interleave(
        calls: dict[str, object], *, rounds: int, repeat: int = 1, **_rest: object
    ) -> dict[str, list[float]]:
        return {name: list(times[: rounds * repeat] * (3 - int(name))) for name in calls}

    monkeypatch.setattr(timer, "interleave", interleave)
    monkeypatch.setattr(Candidate, "open", lambda *_: _Asked([]))
    candidates = [candidate._replace(precision="fp32"), candidate._replace(precision="fp16"), candidate]
    asked = settings.Measure(batch=[1, 4], sequence=[8], rounds=30)
    first, second, third = latency(candidates, {"tiny": rows}, asked, 0, Progress(lambda *news: None, 3))
    for found, pace in ((first, 3), (second, 2), (third, 1)):
        assert len(found["latency"]) == 2
        for cell in (*found["latency"], found["same_rows"]):
            Cell.model_validate(cell)
            assert cell["p50_interval"]["low"] < cell["p50_ms"] < cell["p50_interval"]["high"]
            assert cell["p95_interval"]["low"] < cell["p95_ms"] <= cell["p95_interval"]["high"]
            assert cell["speedup"] == pytest.approx(3 / pace)
            assert cell["speedup_interval"] == pytest.approx({"low": 3 / pace, "high": 3 / pace})
    assert first["latency"][0]["to_plain"] is None
    assert third["latency"][0]["to_plain"] == pytest.approx({"value": 3, "low": 3, "high": 3})
    assert third["same_rows"]["to_plain"] is None
    assert third["same_rows"]["samples"] == 200
    one, other = third["latency"][0], third["same_rows"]
    assert (one["rows_per_s"], other["sequence"]) == (1000 / one["p50_ms"], None)
