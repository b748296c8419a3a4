"""The training loop: the same again, on from where it stopped, and never on from nonsense."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor, nn

from compress import interruption
from compress.config.settings import Distill, Train
from compress.data.batches import Encoded
from compress.encoders.processor import ATTENTION
from compress.errors import InputError, TrainingFailed
from compress.training import progress, trainer
from compress.training.history import History, Session, quiet
from compress.training.objective import Distillation
from compress.training.trainer import train

Make = Callable[..., Encoded]


def model() -> nn.Module:
    return tiny.model()


def distillation() -> nn.Module:
    losses = {"soft_label": 1.0, "hidden_state": 1.0, "attention": 1.0, "hard_label": 1.0}
    return Distillation(tiny.model(hidden=16, seed=1), tiny.model(), Distill(losses=losses))


def rounded() -> nn.Module:
    how = Distill(losses={"soft_label": 1.0, "hidden_state": 1.0, "attention": 1.0}, fake_quantize="int8")
    return Distillation(tiny.model(hidden=16, seed=1), tiny.model(), how)


def scheduled() -> nn.Module:
    losses = {
        "soft_label": {"from": 0, "to": 1},
        "hidden_state": 1.0,
        "hard_label": {"from": 1, "to": 0, "shape": "cosine"},
    }
    how = Distill(losses=losses, layer_mapping="dynamic", temperature={"from": 4, "to": 1})
    return Distillation(tiny.model(hidden=16, seed=1), tiny.model(layers=3), how)


def trained(module: nn.Module, rows: Make, work: Path, notify: Any = quiet, **changes: Any) -> History:
    settings = Train(**{"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, **changes})
    return train(module, rows(), rows(12, seed=1), settings, Session(work, seed=3, notify=notify))


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def stop_at(step: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[int, int, str], None]:
    def notify(done: int, _total: int, _note: str) -> None:
        if done == step:
            raise error

    return notify


def checkpoints(work: Path) -> list[str]:
    return sorted(path.name for path in work.iterdir())


def test_it_learns_and_tells(rows: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module, told = model(), []
    history = trained(module, rows, tmp_path, lambda *news: told.append(news), epochs=9.5, learning_rate=3e-3)
    assert history.epochs[-1].accuracy >= 0.75
    assert history.epochs[-1].loss < history.epochs[0].loss / 2
    assert [epoch.epoch for epoch in history.epochs] == [*range(1, 10), 9.6]  # 3 of 5 steps: steps are whole
    assert (history.steps, told[-1][:2]) == (48, (48, 48))
    assert len(told) == 48
    assert told[-1][2].startswith("epoch 9.60, loss 0.")
    assert history.rows == 9 * 40 + 3 * 8
    assert 9 * rows().lengths.sum() < history.tokens < 10 * rows().lengths.sum()
    assert not module.training
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("make", [model, distillation, rounded])
def test_the_same_again(make: Callable[[], nn.Module], precision: str, rows: Make, tmp_path: Path) -> None:
    one, other = make(), make()
    history = trained(one, rows, tmp_path / "one", precision=precision)
    again = trained(other, rows, tmp_path / "other", precision=precision)
    assert same(one, other)
    assert (history.epochs, history.precision) == (again.epochs, precision)
    assert not same(one, make())


@pytest.mark.parametrize(
    ("make", "step", "every"),
    [
        (model, 3, 2),
        (model, 5, 5),
        (model, 7, None),
        (distillation, 9, 4),
        (distillation, 7, None),
        (scheduled, 7, 3),
        (rounded, 7, None),
        (model, 2, 4),
    ],
)
def test_it_goes_on_where_it_stopped(
    make: Callable[[], nn.Module],
    step: int,
    every: int | None,
    rows: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.0)
    whole, cut, told = make(), make(), []
    expected = trained(whole, rows, tmp_path / "whole", checkpoint_steps=every)
    with pytest.raises(KeyboardInterrupt):
        trained(cut, rows, tmp_path / "cut", stop_at(step), checkpoint_steps=every)
    cut = make()
    history = trained(cut, rows, tmp_path / "cut", lambda *news: told.append(news), checkpoint_steps=every)
    assert same(whole, cut)
    assert (history.epochs, history.tokens) == (expected.epochs, expected.tokens)
    # The step told of when it stopped was not yet saved.
    assert told[0][0] == ((step - 1) // (every or 5)) * (every or 5) + 1
    assert len(checkpoints(tmp_path / "cut")) <= 1


@pytest.mark.parametrize("make", [model, scheduled])
@pytest.mark.parametrize(("step", "validating"), [(3, False), (5, False), (5, True), (10, False), (10, True)])
def test_asked_to_stop_it_saves_what_it_has(
    make: Callable[[], nn.Module],
    step: int,
    validating: bool,
    rows: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(done: int, *_: Any) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGINT)

    def stopped(*given: Any, **how: Any) -> Any:
        if len(checkpoints(tmp_path / "cut")) == 0 and calls.append(1) is None and 5 * len(calls) == step:
            stop(step)
        return judged(*given, **how)

    whole, cut, told, calls, judged = make(), make(), [], list[int](), trainer.judged
    expected = trained(whole, rows, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(interruption, "PATIENCE_S", 600)
        (tmp_path / "cut").mkdir()
        if validating:
            patch.setattr(trainer, "judged", stopped)
        with interruption.heeded(), pytest.raises(KeyboardInterrupt):
            trained(cut, rows, tmp_path / "cut", quiet if validating else stop)
    assert checkpoints(tmp_path / "cut") == [f"checkpoint-{step}"]
    cut = make()
    history = trained(cut, rows, tmp_path / "cut", lambda *news: told.append(news))
    assert same(whole, cut)
    assert (history.epochs, history.tokens) == (expected.epochs, expected.tokens)
    assert [news[0] for news in told] == list(range(step + 1, 11))


def test_student_and_teacher_compute_by_the_fast_attention_while_it_lasts(rows: Make, tmp_path: Path) -> None:
    module = distillation()
    assert isinstance(module, Distillation)
    found = set()

    def look(_done: int, _total: int, _note: str) -> None:
        found.update(one.config._attn_implementation for one in (module.student, module.teacher) if one is not None)

    trained(module, rows, tmp_path, notify=look)
    assert found == {ATTENTION}
    assert module.student.config._attn_implementation == "sdpa"


def test_what_is_scheduled_ends_at_the_last_step_and_is_recorded(rows: Make, tmp_path: Path) -> None:
    seen: list[float] = []
    module = scheduled()
    plain = module.advance
    module.advance = lambda share: (seen.append(share), plain(share))
    history = trained(module, rows, tmp_path)
    assert seen == [step / 9 for step in range(10)]
    first, last = (epoch.scheduled for epoch in history.epochs)
    assert first == pytest.approx(
        {"losses.soft_label": 4 / 9, "losses.hard_label": 0.586824, "temperature": 4 - 3 * 4 / 9}
    )
    assert last == {"losses.soft_label": 1.0, "losses.hard_label": 0.0, "temperature": 1.0}
    assert trained(model(), rows, tmp_path / "plain").epochs[0].scheduled == {}


def test_a_torn_checkpoint_is_not_used(rows: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = model(), model()
    trained(whole, rows, tmp_path / "whole", checkpoint_steps=3)

    def tear(folder: Path, _content: dict[str, Any]) -> None:
        (folder / trainer.WEIGHTS).write_bytes((folder / trainer.WEIGHTS).read_bytes()[:100])
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(trainer.checkpoints, "seal", tear)
        with pytest.raises(OSError, match="disk full"):
            trained(cut, rows, tmp_path / "cut", checkpoint_steps=3)
    assert checkpoints(tmp_path / "cut") == ["checkpoint-3"]
    told: list[int] = []
    cut = model()
    trained(cut, rows, tmp_path / "cut", lambda done, *_: told.append(done), checkpoint_steps=3)
    assert told[0] == 1
    assert same(whole, cut)


def test_a_short_training_saves_nothing_unasked(rows: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(model(), rows, tmp_path, stop_at(10))
    assert checkpoints(tmp_path) == []


def test_a_long_epoch_saves_unasked(rows: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG", 0.0)
    with pytest.raises(KeyboardInterrupt):
        trained(model(), rows, tmp_path, stop_at(4))
    assert checkpoints(tmp_path) == ["checkpoint-3"]


def test_another_training_does_not_go_on_from_it(rows: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(model(), rows, tmp_path, stop_at(5), checkpoint_steps=2)
    told: list[int] = []
    trained(model(), rows, tmp_path, lambda done, *_: told.append(done), learning_rate=2e-3)
    assert told[0] == 1


class Broken(nn.Module):
    """Tells a loss that is no number, or has weights that become none, at one step."""

    def __init__(self, step: int, loss: float = 1.0) -> None:
        super().__init__()
        self.model, self.step, self.loss, self.calls = tiny.model(), step, loss, 0

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        output = self.model(**inputs)
        self.calls += self.training
        scale = self.loss if self.training and self.calls == self.step else 1.0
        return {"logits": output.logits, **({"loss": output.loss * scale} if self.training else {})}


_ROWS = r"5, 27, 34, 6, 23, 36, 7, 32 \(the first is 0\)"
"""Those of the seventh batch."""


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_it(loss: float, rows: Make, tmp_path: Path) -> None:
    module = Broken(7, loss)
    with pytest.raises(
        TrainingFailed, match=f"the loss became {loss} at step 7 of 10, on the rows {_ROWS}, in .*checkpoint-5"
    ):
        trained(module, rows, tmp_path, checkpoint_steps=5)
    assert all(weight.isfinite().all() for weight in module.parameters())


class Steep(nn.Module):
    """Has a finite loss and a gradient that is none, at one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.model, self.step, self.calls = tiny.model(), step, 0

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        output = self.model(**inputs)
        self.calls += self.training
        steep = (output.logits.sum() * 0).sqrt() if self.training and self.calls == self.step else 0
        return {"logits": output.logits, **({"loss": output.loss + steep} if self.training else {})}


def test_a_gradient_that_is_no_number_stops_it(rows: Make, tmp_path: Path) -> None:
    module = Steep(7)
    with pytest.raises(TrainingFailed, match=f"a gradient became nan at step 7 of 10, on the rows {_ROWS}, in .*-5"):
        trained(module, rows, tmp_path, checkpoint_steps=5)
    assert all(weight.isfinite().all() for weight in module.parameters())


def test_validation_answers_that_are_no_numbers_stop_it(rows: Make, tmp_path: Path) -> None:
    class Silent(Broken):
        def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
            output = super().forward(**inputs)
            return output if self.training else {"logits": output["logits"] * float("nan")}

    with pytest.raises(
        TrainingFailed, match=r"the model's logits for row \d+ \(the first is 0\) are no finite numbers"
    ):
        trained(Silent(99), rows, tmp_path)


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_model_that_gives_one_answer_alone_is_called_out(collapsed: bool, rows: Make, tmp_path: Path) -> None:
    module = model()
    if collapsed:
        module.get_parameter("classifier.bias").data[1] = 100.0
    history = trained(module, rows, tmp_path, learning_rate=1e-6)
    said = "collapsed: all 12 validation rows get the answer LABEL_1, of 3 labels that they have"
    assert history.notes == ([said] if collapsed else [])


def test_weights_that_are_no_numbers_are_not_saved(rows: Make, tmp_path: Path) -> None:
    module = model()

    def spoil(done: int, _total: int, _note: str) -> None:
        if done == 4:
            module.get_parameter("classifier.bias").data[0] = float("nan")

    with pytest.raises(
        TrainingFailed, match=r"classifier.bias was no number any more after step 4 of 10.*checkpoint-2"
    ):
        trained(module, rows, tmp_path, spoil, checkpoint_steps=2)
    assert json.loads((tmp_path / "checkpoint-2" / "complete.seal").read_text())["progress"]["count"] == 2


def test_label_smoothing(rows: Make, tmp_path: Path) -> None:
    plain, smooth = model(), model()
    for module, share in ((plain, 0.0), (smooth, 0.5)):
        trained(module, rows, tmp_path / str(share), epochs=8, learning_rate=5e-3, label_smoothing=share)
    batch = {"input_ids": torch.tensor([[5, 11, 6, 7]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    with torch.no_grad():
        sure, unsure = (module(**batch).logits.softmax(-1).max() for module in (plain, smooth))
    assert unsure < 0.8 < sure


@pytest.mark.parametrize(("schedule", "last"), [("linear", 0.0), ("cosine", 0.0), ("constant", 1.0)])
def test_schedules_rise_and_fall(schedule: str, last: float, rows: Make, tmp_path: Path) -> None:
    rates: list[float] = []
    loop = trainer._Loop(
        model(),
        rows(),
        rows(),
        Train(epochs=2, batch_size=8, learning_rate=1e-3, warmup=0.4, schedule=schedule),
        Session(tmp_path),
    )
    loop.create_optimizer_and_scheduler(loop.steps)
    for _ in range(loop.steps):
        rates.append(loop.lr_scheduler.get_last_lr()[0] / 1e-3)
        loop.optimizer.step()
        loop.lr_scheduler.step()
    assert rates[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert loop.lr_scheduler.get_last_lr()[0] / 1e-3 == pytest.approx(last, abs=1e-9)


def test_curves_for_tensorboard(rows: Make, tmp_path: Path) -> None:
    train(
        model(),
        rows(),
        rows(12),
        Train(epochs=2, batch_size=4),
        Session(tmp_path / "work", tensorboard=tmp_path / "curves"),
    )
    (curve,) = (tmp_path / "curves").iterdir()
    assert b"train/loss" in curve.read_bytes()
    assert b"eval/accuracy" in curve.read_bytes()


def test_no_rows(rows: Make, tmp_path: Path) -> None:
    for given in ((rows(0), rows()), (rows(), rows(0))):
        with pytest.raises(InputError, match="there are no"):
            train(model(), *given, Train(), Session(tmp_path))
