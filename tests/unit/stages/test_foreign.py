"""A teacher of other tokens answers its own rows, whatever the number of epochs."""

from pathlib import Path

import numpy as np
import pytest
import spelling
import torch

from compress.config import settings
from compress.data.batches import Encoded
from compress.stages import learn
from compress.stages.context import Context
from compress.training.history import History
from compress.training.objective import Distillation


def rows(ids: list[int]) -> Encoded:
    return Encoded(np.array(ids, np.int32), None, np.array([0, 2, len(ids)]), np.array([0, 1]), 0)


@pytest.mark.parametrize("losses", [{"soft_label": 1}, {"soft_label": 1, "hidden_state": 1}])
def test_stored_answers_are_those_on_the_teachers_rows(
    losses: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Distillation] = []

    def train(module: Distillation, *_: object) -> History:
        trained.append(module)
        return History(0, 0, 0, 0.0, "fp32")

    monkeypatch.setattr(learn, "train", train)
    teacher, table = spelling.model("bert", 60), torch.arange(20) + 30
    context = Context("distill/tiny", tmp_path, tmp_path, tmp_path, 0, lambda done, total, note: None)
    asked, heard = settings.Distill(losses=losses, epochs=1, precision="fp32"), rows([40, 41, 42, 43, 44])
    learn.learn(
        spelling.model("bert", 20),
        teacher,
        rows([1, 2, 3]),
        rows([1, 2, 3]),
        asked,
        context,
        heard=heard,
        translate=table,
    )
    module = trained[0]
    if len(losses) == 1:
        assert not module.live
        assert module.teacher_logits is not None
        with torch.no_grad():
            expected = teacher(torch.tensor([[42, 43, 44]])).logits[0]
        torch.testing.assert_close(module.teacher_logits[1], expected)
    else:
        assert module.live
        assert module.teacher_logits is None
        assert module.translate is table
