"""A teacher of other tokens answers its own rows, whatever the number of epochs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import spelling
import torch

from compress.config import settings
from compress.data.batches import Encoded
from compress.stages import learn
from compress.stages.context import Context
from compress.stages.lesson import Lesson
from compress.training.history import History
from compress.training.objective import Distillation


def rows(ids: list[int]) -> Encoded:
    return Encoded(np.array(ids, np.int32), None, np.array([0, 2, len(ids)]), np.array([0, 1]), 0)


@pytest.mark.parametrize("losses", [{"soft_label": 1}, {"soft_label": 1, "hidden_state": 1}])
def test_stored_answers_are_those_on_the_teachers_rows(
    losses: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Distillation] = []

    def train(modules: list[Distillation], *_: object) -> History:
        trained.extend(modules)
        return History(0, 0, 0, 0.0, "fp32")

    monkeypatch.setattr(learn, "train_in_turn", train)
    teacher, table = spelling.model("bert", 60), torch.arange(20) + 30
    context = Context("distill/tiny", tmp_path, tmp_path, tmp_path, 0, lambda done, total, note: None)
    asked, heard = settings.Distill(losses=losses, epochs=1, precision="fp32"), rows([40, 41, 42, 43, 44])
    inner = len(losses) > 1
    learn.learn(
        spelling.model("bert", 20),
        teacher,
        Lesson(rows([1, 2, 3]), rows([1, 2, 3]), heard=heard, translate=table if inner else None),
        asked,
        context,
    )
    module = trained[0]
    if not inner:
        assert not module.live
        assert module.teacher_logits is not None
        with torch.no_grad():
            expected = teacher(torch.tensor([[42, 43, 44]])).logits[0]
        torch.testing.assert_close(module.teacher_logits[1], expected)
    else:
        assert module.live
        assert module.teacher_logits is None
        assert module.translate is table


def test_stored_states_are_those_of_the_translated_rows(tmp_path: Path) -> None:
    table, own = torch.arange(20) + 30, rows([1, 2, 3, 4, 5])
    heard, found = dataclasses.replace(own, ids=own.ids + 30), []
    for name, cache in (("live", None), ("stored", settings.Cache(budget_gb=1))):
        (tmp_path / name).mkdir()
        context = Context("distill/tiny", tmp_path, tmp_path / name, tmp_path, 0, lambda done, total, note: None)
        asked = settings.Distill(losses={"hidden_state": 1, "logit_mse": 1}, epochs=2, precision="fp32", cache=cache)
        student, teacher = spelling.model("bert", 20), spelling.model("bert", 60)
        found.append(learn.learn(student, teacher, Lesson(own, own, heard=heard, translate=table), asked, context))
    live, stored = (history.epochs[0].parts for history in found)
    assert stored == pytest.approx(live, rel=2e-3)
    assert found[1].notes[0].endswith("were stored")
