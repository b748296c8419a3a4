"""A student is cut to a target, what it reached is measured, and what cannot be reached is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import PreTrainedModel

from compress.config.settings import Prune
from compress.encoders.surgery import Masks
from compress.errors import InputError
from compress.pruning.latency_table import LatencyTable
from compress.pruning.scores import Scores
from compress.stages import budget
from compress.stages.budget import Aim, Cutting, aimed
from compress.stages.context import Context
from compress.stages.gauge import Gauge

KEY = "students.tiny.prune.target"


class Clock:
    """Stands in for a stopwatch: a model's share of the latency follows its widths by a rule."""

    def __init__(self, rule: Any, table: LatencyTable | None) -> None:
        self.rule, self.table, self.looked = rule, table, 0

    def seen(self, model: PreTrainedModel) -> float:
        self.looked += 1
        left = Masks.full(model)
        return float(self.rule(sum(map(len, left.heads)) / 8, sum(map(len, left.neurons)) / 128))

    @contextmanager
    def gauge(self, _before: Any, _student: Any, target: Any, *_: Any) -> Iterator[Gauge]:
        yield Gauge(self.seen, 1 / target.speedup, lambda share: 1 / share, {"on": target.on}, (0.25, 0.5), self.table)


def context(folder: Path) -> Context:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return Context("prune/tiny", folder, work, folder, 0, lambda done, total, note: None)


def scores() -> Scores:
    generator = torch.Generator().manual_seed(0)
    return Scores(*(tuple(torch.rand(width, generator=generator) for _ in range(2)) for width in (4, 64)))


def reach(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, speedup: float, step: int = 1, steps: int = 1
) -> tuple[Any, dict[str, Any]]:
    monkeypatch.setattr(budget, "gauge", clock.gauge)
    student = tiny.model()
    target = {"speedup": speedup, "on": "onnxruntime-int8"}
    asked = Prune(target=target, importance="magnitude", multiple=4, steps=steps)  # type: ignore[arg-type]
    return aimed(Cutting(student, student, student), scores(), Aim(asked, list, 8.0, KEY, step), context(folder))


def test_a_model_that_is_off_is_corrected_by_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(
        lambda heads, neurons: 0.1 + 0.2 * heads + 0.3 * neurons + 0.4 * heads * neurons, LatencyTable(tmp_path, {})
    )
    choice, facts = reach(tmp_path, clock, monkeypatch, 1.5)
    assert facts["reached"] == pytest.approx(1.5, rel=0.1)
    assert facts["rounds"] > 1
    assert (facts["kind"], facts["on"]) == ("speedup", "onnxruntime-int8")
    left = sum(int(mask.sum()) for mask in choice.neurons)
    assert left < 128


def test_what_misses_after_three_rounds_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = Clock(lambda heads, neurons: 1.0 if heads + neurons > 1.99 else 0.3, LatencyTable(tmp_path, {}))
    _, facts = reach(tmp_path, jumps, monkeypatch, 2)
    assert facts["rounds"] == 3
    assert facts["reached"] in (pytest.approx(1.0), pytest.approx(1 / 0.3))


def test_a_table_that_is_there_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def straight(heads: float, neurons: float) -> float:
        return 0.1 + 0.3 * heads + 0.6 * neurons

    first = Clock(straight, LatencyTable(tmp_path, {}))
    reach(tmp_path, first, monkeypatch, 1.5)
    second = Clock(straight, LatencyTable(tmp_path, {}))
    reach(tmp_path, second, monkeypatch, 2)
    assert (first.looked > 5, second.looked) == (True, 1)


def test_a_step_goes_a_part_of_the_way_of_what_the_cost_is_to_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for step in (1, 2, 3):
        clock = Clock(lambda heads, neurons: 0.1 + 0.3 * heads + 0.6 * neurons, LatencyTable(tmp_path, {}))
        found.append(reach(tmp_path, clock, monkeypatch, 2, step, 3)[1])
    assert [1 / facts["reached"] for facts in found] == pytest.approx([0.648, 0.519, 0.5], abs=0.025)


def test_a_step_before_the_last_is_not_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bent(heads: float, neurons: float) -> float:
        return 0.1 + 0.2 * heads + 0.3 * neurons + 0.4 * heads * neurons

    rounds = [
        reach(tmp_path, Clock(bent, LatencyTable(tmp_path, {})), monkeypatch, 1.5, step, 2)[1]["rounds"]
        for step in (1, 2)
    ]
    assert rounds[0] == 1 < rounds[1]


def test_what_is_out_of_reach_is_one_error_with_the_most_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(lambda heads, neurons: 0.4 + 0.2 * heads + 0.4 * neurons, LatencyTable(tmp_path, {}))
    with pytest.raises(InputError) as caught:  # at the first step already
        reach(tmp_path, clock, monkeypatch, 4, 1, 4)
    assert str(caught.value) == (
        f"{KEY}.speedup: 4 was asked for, 2.11 is the most that can be reached: with 1 head and 4 neurons in every layer. "
        "Give that or `blocks: true`, or a smaller student."
    )


@pytest.mark.parametrize(("kind", "asked"), [("flops", 0.4), ("parameters", 0.4)])
@pytest.mark.parametrize("family", ["bert", "albert"])
def test_counted_targets_are_never_exceeded(kind: str, asked: float, family: str, tmp_path: Path) -> None:
    student = tiny.model(family)
    layers = len(Masks.full(student).heads)
    found = scores()
    found = Scores(found.heads[:layers], found.neurons[:layers])
    aim = Aim(Prune(target={kind: asked}, importance="magnitude", multiple=4), list, 8.0, KEY)  # type: ignore[arg-type]
    _, facts = aimed(Cutting(student, student, student), found, aim, context(tmp_path))
    assert 0.9 * asked <= facts["reached"] <= asked
    assert facts["rounds"] == 1
