"""What a gauge sees of a cut student."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import PreTrainedModel

from compress.config.settings import Target
from compress.encoders.checkpoint import parameters, save
from compress.encoders.modules import base, layers
from compress.encoders.surgery import Masks, cut
from compress.pruning.shares import least
from compress.stages import gauge as module
from compress.stages.build import size_bytes
from compress.stages.context import Context
from compress.stages.gauge import gauge


def context(folder: Path) -> Context:
    return Context("prune/tiny", folder, folder, folder, 0, lambda done, total, note: None)


def halved(model: PreTrainedModel, heads: int = 2, neurons: int = 32) -> PreTrainedModel:
    full = Masks.full(model)
    return cut(
        model,
        Masks(
            tuple(torch.arange(len(mask)) < heads for mask in full.heads),
            tuple(torch.arange(len(mask)) < neurons for mask in full.neurons),
        ),
    )


def seen(folder: Path, model: PreTrainedModel, smaller: PreTrainedModel, **target: Any) -> Any:
    with gauge(model, model, Target(**target), list, 7.6, context(folder)) as measure:
        return measure, measure.seen(smaller)


def test_flops_are_those_of_the_matrix_products(tmp_path: Path) -> None:
    model = tiny.model()
    measure, half = seen(tmp_path, model, halved(model, 1, 16), flops=0.5)
    assert measure.facts == {"sequence": 8}  # the mean length, rounded
    attention, block = 4 * 32 * 32 + 2 * 8 * 32, 2 * 32 * 64  # multiplications a token: Linears, products inside, FFN
    assert half == pytest.approx(0.25)
    _, neurons = seen(tmp_path, model, halved(model, 4, 32), flops=0.5, sequence=8)
    assert neurons == pytest.approx((attention + block / 2) / (attention + block))
    _, longer = seen(tmp_path, model, halved(model, 4, 32), flops=0.5, sequence=16)
    assert longer > neurons


def test_parameters_are_those_of_the_layers(tmp_path: Path) -> None:
    model = tiny.model()
    smaller = halved(model)
    counts = [sum(parameters(layer) for layer in layers(one)) for one in (smaller, model)]
    assert counts[1] < parameters(base(model))
    assert seen(tmp_path, model, smaller, parameters=0.5)[1] == counts[0] / counts[1]


@pytest.mark.parametrize("family", tiny.CUTTABLE)
@pytest.mark.parametrize("kind", ["flops", "parameters"])
def test_no_cut_comes_below_what_the_checks_take_for_the_least(kind: str, family: str, tmp_path: Path) -> None:
    model = tiny.model(family)
    bound = least(kind, hidden=32, heads=4, neurons=64, multiple=8, lengths=(8, 8))
    _, smallest = seen(tmp_path, model, halved(model, 1, 8), **{kind: 0.5})
    assert bound <= smallest < bound + 0.1


def test_a_size_is_that_of_the_file(tmp_path: Path) -> None:
    model, smaller, work = tiny.model(), halved(tiny.model()), tmp_path / "work"
    work.mkdir()
    measure, half = seen(work, model, smaller, size_mb=0.05, on="pytorch-fp32")
    for share, one in ((1, model), (half, smaller)):
        save(one, tmp_path / str(share))
        assert 1e6 * measure.value(share) == pytest.approx(size_bytes(tmp_path / str(share)))
    assert half < 1
    assert measure.wanted == pytest.approx(0.05 / measure.value(1))
    assert not list(work.iterdir())  # what was built is gone


def test_a_speed_up_is_timed_beside_the_uncut_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {}

    def interleave(calls: dict[str, Any], **_: object) -> dict[str, list[float]]:
        answers.update({name: torch.from_numpy(call()) for name, call in calls.items()})
        return {"before": [4.0, 9.0, 2.0], "after": [5.0, 3.0, 1.0]}

    monkeypatch.setattr(module.timer, "interleave", interleave)
    model = tiny.model()
    smaller = halved(model)
    target = {"speedup": 2, "on": "pytorch-fp32", "batch": 2}
    measure, share = seen(tmp_path, model, smaller, **target)
    assert share == pytest.approx(3 / 4)  # of the medians
    feed = {name: torch.from_numpy(values) for name, values in module._feed(model, (2, 8), 0).items()}
    for name, one in (("before", model), ("after", smaller)):
        with torch.no_grad():
            torch.testing.assert_close(answers[name], one(**feed).logits, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(answers["before"], answers["after"], atol=1e-2)
    assert measure.facts == {"on": "pytorch-fp32", "batch": 2, "sequence": 8, "threads": 1}
    assert (measure.wanted, measure.value(0.5)) == (0.5, 2)
    measure.table.put((1, 8), 0.3)
    with gauge(model, model, Target(**{**target, "speedup": 3}), list, 8, context(tmp_path)) as again:
        assert again.table.get((1, 8)) == 0.3
    with gauge(model, smaller, Target(**target), list, 8, context(tmp_path)) as other:
        assert other.table.get((1, 8)) is None
