"""Which layers answer best alone."""

from collections.abc import Callable
from itertools import combinations

import pytest
import tiny
import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from compress.config.settings import Architecture
from compress.data.batches import Encoded
from compress.encoders.families import FAMILIES
from compress.encoders.initialize import first_weights
from compress.encoders.widths import configured
from compress.errors import InputError
from compress.training import subsets
from compress.training.predictions import logits
from compress.training.subsets import Score, measured, ranked

Make = Callable[..., Encoded]
WHOLE = sorted(name for name, row in FAMILIES.items() if not row.shared_layers)
CPU = torch.device("cpu")


def shallow(teacher: PreTrainedModel, layers: tuple[int, ...]) -> PreTrainedModel:
    """A student that starts from these layers."""
    config = configured(teacher.config, Architecture(layers=len(layers)), layers)
    student = AutoModelForSequenceClassification.from_config(config).eval()
    first_weights(student, teacher, start="layers", layers=layers)
    return student


@pytest.mark.parametrize("family", WHOLE)
def test_a_choice_scores_as_the_student_that_starts_from_it(family: str, rows: Make) -> None:
    teacher, encoded = tiny.model(family, layers=4), rows(50, types="token_type_ids" in FAMILIES[family].inputs)
    found = measured(teacher, encoded, 2, precision="fp32")
    first = (0,) if FAMILIES[family].pre_norm else range(4)
    assert sorted(score.layers for score in found) == [pair for pair in combinations(range(4), 2) if pair[0] in first]
    for score in found:
        numbers, answers = logits(shallow(teacher, score.layers), encoded, device=CPU, precision="fp32")
        labels = torch.from_numpy(encoded.labels[numbers])
        assert score.accuracy == pytest.approx(float((answers.argmax(-1) == labels).float().mean()))
        assert score.loss == pytest.approx(functional.cross_entropy(answers, labels).item(), rel=1e-4)


def test_accuracies_that_rows_cannot_tell_apart_are_ranked_by_loss() -> None:
    given = {(0, 1): (0.50, 0.1), (1, 2): (0.80, 0.7), (0, 2): (0.79, 0.4), (0, 3): (0.78, 0.3), (1, 3): (0.50, 0.2)}
    found = [Score(layers, *numbers) for layers, numbers in given.items()]
    assert [score.layers for score in ranked(found, 900)] == [(0, 2), (1, 2), (0, 3), (0, 1), (1, 3)]  # 1.3 points
    assert [score.layers for score in ranked(found, 90)] == [(0, 3), (0, 2), (1, 2), (0, 1), (1, 3)]  # 4.2 points


def test_layers_that_choices_begin_with_are_computed_once_and_the_teacher_stays_as_it_was(rows: Make) -> None:
    teacher, encoded, called = tiny.model(layers=4).train(), rows(20), []
    for index, layer in enumerate(teacher.bert.encoder.layer):
        layer.attention.register_forward_hook(lambda *_, index=index: called.append(index))
    measured(teacher, encoded, 3, precision="fp32")
    # 0123 once as a whole; then 0, 01, 012, 013, 02, 023, 1, 12, 123
    assert called == [0, 1, 2, 3, 0, 1, 2, 3, 2, 3, 1, 2, 3]
    assert teacher.training
    assert all("forward" not in vars(layer) for layer in teacher.bert.encoder.layer)


def test_where_there_are_too_many_choices_layers_are_left_out_one_by_one(
    rows: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, encoded = tiny.model(layers=6), rows(60)
    every = measured(teacher, encoded, 2, precision="fp32")
    monkeypatch.setattr(subsets, "ALL", 10)
    some = measured(teacher, encoded, 2, precision="fp32")
    assert {score.layers for score in some} < {score.layers for score in every}
    assert set(some) <= set(every)
    monkeypatch.setattr(subsets, "BEAM", 100)
    assert measured(teacher, encoded, 2, precision="fp32") == every


def test_rows_are_drawn_by_the_seed_and_told_of(rows: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subsets, "ROWS", 30)
    teacher, encoded, told = tiny.model(layers=3), rows(100), []
    one = measured(teacher, encoded, 1, precision="fp32", notify=lambda *news: told.append(news))
    assert one == measured(teacher, encoded, 1, precision="fp32")
    assert one != measured(teacher, encoded, 1, precision="fp32", seed=1)
    assert told[-1] == (30, 30, "first weights: 3 choices of 1 layers are tried")


def test_nothing_to_choose_is_said(rows: Make) -> None:
    with pytest.raises(InputError, match="called again and again"):
        measured(tiny.model("albert"), rows(), 1, precision="fp32")
    with pytest.raises(InputError, match="a student of 3 layers cannot start from a choice of 2"):
        measured(tiny.model(layers=2), rows(), 3, precision="fp32")
