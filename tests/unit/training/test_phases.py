"""Trainings one after the other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import nn

from compress.config.settings import Distill, Phase
from compress.data.batches import Encoded
from compress.training.history import History, Session, quiet
from compress.training.objective import Distillation
from compress.training.phases import train_in_turn

Make = Callable[..., Encoded]
SETTINGS = Distill(
    batch_size=8,
    epochs=1,
    learning_rate=1e-3,
    checkpoint_steps=2,
    phases=(
        Phase(losses={"hidden_state": 1.0}, epochs=2),
        Phase(losses={"soft_label": 1.0}),
        Phase(losses={"hidden_state": 1.0, "hard_label": 1.0}, schedule="constant"),
    ),
)


def trained(rows: Make, work: Path, notify: Any = quiet) -> tuple[nn.Module, History, list[Distillation]]:
    student, teacher = tiny.model(hidden=16, seed=1), tiny.model()
    modules = [Distillation(student, teacher, training) for training in SETTINGS.trainings]
    session = Session(work, seed=3, notify=notify)
    return student, train_in_turn(modules, rows(), rows(12, seed=1), SETTINGS.trainings, session), modules


def same(one: nn.Module, other: nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_a_phase_leaves_to_the_group_what_it_does_not_say() -> None:
    one, two, three = SETTINGS.trainings
    assert [each.epochs for each in (one, two, three)] == [2, 1, 1]
    assert [each.schedule for each in (one, two, three)] == ["linear", "linear", "constant"]
    assert {each.learning_rate for each in (one, two, three)} == {1e-3}
    assert Distill().trainings == (Distill(),)
    assert SETTINGS.model_dump()["phases"][1] == {"losses": {"soft_label": 1.0}}


def test_they_are_told_and_counted_together(rows: Make, tmp_path: Path) -> None:
    told: list[str] = []
    _, history, _ = trained(rows, tmp_path, lambda _done, _total, note: told.append(note))
    assert [phase.steps for phase in history.phases] == [10, 5, 5]
    assert (history.steps, history.rows) == (20, 4 * 40)
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3, 4]
    assert [sorted(epoch.parts) for epoch in history.epochs][1:] == [
        ["hidden_state"],
        ["soft_label"],
        ["hard_label", "hidden_state"],
    ]
    assert (told[0][:22], told[-1][:22]) == ("phase 1 of 3: epoch 0.", "phase 3 of 3: epoch 1.")
    record = history.record()
    assert [phase["steps"] for phase in record["phases"]] == [10, 5, 5]
    assert "seconds" not in str(record)
    assert set(history.phases[0].record()) == {"steps", "rows", "tokens", "precision", "devices", "epochs"}


def test_a_later_phase_starts_from_what_an_earlier_one_learned_beside_the_student(rows: Make, tmp_path: Path) -> None:
    fresh = Distillation(tiny.model(hidden=16, seed=1), tiny.model(), SETTINGS.trainings[2])
    _, _, (one, _, three) = trained(rows, tmp_path)
    moved, untouched = ((three.projections[0].weight - other.projections[0].weight).norm() for other in (one, fresh))
    assert 0 < moved < untouched


@pytest.mark.parametrize(("stop", "folder"), [(7, "phase-1"), (13, "phase-2")])
def test_it_goes_on_in_the_phase_it_was_in(stop: int, folder: str, rows: Make, tmp_path: Path) -> None:
    whole, expected, _ = trained(rows, tmp_path / "whole")
    steps = 0

    def interrupt(_done: int, _total: int, _note: str) -> None:
        nonlocal steps
        steps += 1
        if steps == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(rows, tmp_path / "cut", interrupt)
    told: list[tuple[int, str]] = []
    student, history, _ = trained(rows, tmp_path / "cut", lambda done, _total, note: told.append((done, note)))
    assert told[0][1].startswith(f"phase {folder[-1]} of 3")
    assert told[0][0] == (1 + (stop - 1) // 2 * 2 if stop < 10 else 3)
    assert same(student, whole)
    assert history.record() == expected.record()
    # All finished: nothing is trained again.
    again, history, _ = trained(rows, tmp_path / "cut", interrupt)
    assert steps == stop
    assert same(again, whole)
    assert history.record() == expected.record()
