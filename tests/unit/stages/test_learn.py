"""What a student cannot learn from is refused before the training."""

from pathlib import Path

import numpy as np
import pytest
import tiny

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.errors import InputError
from compress.stages.context import Context
from compress.stages.learn import learn


def test_rows_without_labels_need_a_loss_on_the_teachers_answers(tmp_path: Path) -> None:
    ids, starts = np.full(6, 7, np.int32), np.array([0, 3, 6])
    rows = Encoded(ids, None, starts, np.array([1, -100]), pad_id=0)
    labelled = Encoded(ids, None, starts, np.array([1, 0]), pad_id=0)
    context = Context("distill/tiny", tmp_path, tmp_path / "work", tmp_path, 0, lambda *_: None)
    teacher, settings = tiny.model(), Distill(losses={"hard_label": 1}, epochs=1)
    with pytest.raises(InputError, match=r"hard_label learn from labels alone\. Give `distill\.data: \[train\]`"):
        learn(tiny.model(layers=1), teacher, rows, labelled, settings, context)
    both = Distill(losses={"hard_label": 1, "soft_label": 1}, epochs=1, batch_size=1, precision="fp32")
    history = learn(tiny.model(layers=1), teacher, rows, labelled, both, context)
    assert history.steps == 2
    assert np.isfinite(history.epochs[0].parts["hard_label"])
