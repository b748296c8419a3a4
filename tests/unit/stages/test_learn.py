"""What a student takes from which teacher, and when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.errors import InputError
from compress.stages import learn as stage
from compress.stages.context import Context
from compress.stages.learn import learn
from compress.stages.lesson import Lesson
from compress.training.history import History

INNER = {"hidden_state": 1.0, "attention": 1.0, "logit_mse": 1.0}


def rows(count: int, seed: int) -> Encoded:
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 10, count)
    ids = random.integers(5, 60, lengths.sum()).astype(np.int32)
    starts = np.concatenate([[0], lengths.cumsum()])
    return Encoded(ids=ids, types=None, starts=starts, labels=random.integers(0, 3, count), pad_id=0)


def learned(
    folder: Path, told: list[Any] | None = None, voices: dict[str, Callable[[], Tensor]] | None = None, **changes: Any
) -> tuple[History, dict[str, Tensor]]:
    settings = Distill.model_validate({"batch_size": 8, "epochs": 2, "learning_rate": 1e-3, **changes})
    folder.mkdir(exist_ok=True)
    notify = (lambda *news: told.append(news)) if told is not None else (lambda *_: None)
    context = Context("distill/tiny", folder / "out", folder, folder, 0, notify)
    student = tiny.model(hidden=16, seed=1)
    history = learn(student, tiny.model(), Lesson(rows(24, 0), rows(8, 1)), settings, context, voices or {})
    return history, student.state_dict()


def test_stored_states_train_as_the_live_teacher_up_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    live, _ = learned(tmp_path / "live", losses=INNER)
    # The teacher answers when it is asked for its states: not once more.
    monkeypatch.setattr(stage, "cached_logits", lambda *_, **__: pytest.fail("asked again"))
    stored, _ = learned(tmp_path / "stored", told, losses=INNER, cache={"budget_gb": 1})
    for one, other in zip(stored.epochs, live.epochs, strict=True):
        assert one.parts == pytest.approx(other.parts, rel=2e-3)
    assert told[0][:2] == (0, 0)
    assert "on disk while the student is trained" in told[0][2]
    assert live.notes == []
    assert [note.endswith("and were stored") for note in stored.notes] == [True]


def test_without_room_the_teacher_runs_live_for_good(tmp_path: Path) -> None:
    told: list[Any] = []
    expected, weights = learned(tmp_path / "live", losses=INNER)
    for budget in (1e-6, 1):  # the second time there would be room
        history, found = learned(tmp_path / "full", told, losses=INNER, cache={"budget_gb": budget})
        assert history.epochs == expected.epochs
        assert all(torch.equal(found[name], weights[name]) for name in weights)
        assert "allows 1.00 kB: the teacher runs beside the student" in history.notes[0]
    assert [news for news in told if not news[1]] == [(0, 0, history.notes[0])]


def test_phases_round_each_as_they_say(tmp_path: Path) -> None:
    _, plain = learned(tmp_path / "plain", precision="fp32", phases=[{}, {}])
    _, late = learned(tmp_path / "late", precision="fp32", phases=[{}, {"fake_quantize": "int8"}])
    _, both = learned(tmp_path / "both", precision="fp32", phases=[{}, {}], fake_quantize="int8")
    weights = [next(weight for name, weight in found.items() if "query" in name) for found in (plain, late, both)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    torch.testing.assert_close(weights[2], weights[0], rtol=0, atol=0.01)
    assert plain.keys() == late.keys() == both.keys()


def test_one_pass_stores_nothing(tmp_path: Path) -> None:
    history, _ = learned(tmp_path, losses=INNER, cache={"budget_gb": 1}, epochs=1.5)
    assert "less than 2 passes" in history.notes[0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("states")]


def test_two_phases_of_one_pass_store(tmp_path: Path) -> None:
    phases = [{"losses": {"hidden_state": 1}}, {"losses": {"attention": 1}}]
    history, _ = learned(tmp_path, epochs=1, phases=phases, cache={"budget_gb": 1})
    assert history.notes[0].endswith("and were stored")


def test_further_teachers_count_in_one_pass_too(tmp_path: Path) -> None:
    asked: list[str] = []

    def voice() -> Tensor:
        asked.append("big")
        return torch.full((24, 3), 5.0)

    alone, _ = learned(tmp_path / "alone", epochs=1, losses=INNER)
    both, _ = learned(
        tmp_path / "both", None, {"big": voice}, epochs=1, losses=INNER, teachers={"teacher": 1, "big": 1}
    )
    assert asked == ["big"]
    assert both.epochs[0].parts["logit_mse"] > 1.5 * alone.epochs[0].parts["logit_mse"]
    assert both.epochs[0].parts["hidden_state"] == pytest.approx(alone.epochs[0].parts["hidden_state"], rel=0.1)


def test_what_does_not_fit_in_the_last_phase_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    def voice() -> Tensor:
        raise AssertionError("asked")

    told: list[Any] = []
    phases = [{"losses": {"soft_label": 1}}, {"losses": {"hidden_state": 1}, "layer_mapping": (0, 7)}]
    with pytest.raises(InputError, match="names a layer that the teacher of 2 layers does not have"):
        learned(tmp_path, told, {"big": voice}, phases=phases, teachers={"big": 1})
    assert told == []


def test_rows_without_labels_need_a_loss_on_the_teachers_answers(tmp_path: Path) -> None:
    ids, starts = np.full(6, 7, np.int32), np.array([0, 3, 6])
    half = Encoded(ids, None, starts, np.array([1, -100]), pad_id=0)
    labelled = Encoded(ids, None, starts, np.array([1, 0]), pad_id=0)
    context = Context("distill/tiny", tmp_path, tmp_path / "work", tmp_path, 0, lambda *_: None)
    teacher, settings = tiny.model(), Distill(losses={"hard_label": 1}, epochs=1)
    with pytest.raises(InputError, match=r"hard_label learn from labels alone\. Give `data: \[train\]`"):
        learn(tiny.model(layers=1), teacher, Lesson(half, labelled), settings, context)
    both = Distill(losses={"hard_label": 1, "soft_label": 1}, epochs=1, batch_size=1, precision="fp32")
    history = learn(tiny.model(layers=1), teacher, Lesson(half, labelled), both, context)
    assert history.steps == 2
    assert np.isfinite(history.epochs[0].parts["hard_label"])


def test_each_phase_learns_from_its_own_rows_and_their_stored_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[Encoded, Tensor]] = []

    def train_in_turn(modules: Any, parts: Any, *_: Any) -> History:
        trained.extend((part, module.teacher_logits) for module, part in zip(modules, parts, strict=True))
        return History(0, 0, 0, 0.0, "fp32", 1, [])

    monkeypatch.setattr(stage, "train_in_turn", train_in_turn)
    whole, teacher = rows(24, 0), tiny.model()
    settings = Distill.model_validate(
        {"epochs": 2, "phases": [{"data": ["augmented", "train"]}, {"data": ["unlabelled"], "epochs": 3}]}
    )
    context = Context("distill/tiny", tmp_path, tmp_path / "work", tmp_path, 0, lambda *_: None)
    parts = {"train": range(10), "unlabelled": range(10, 18), "augmented": range(18, 24)}
    learn(tiny.model(layers=1), teacher, Lesson(whole, rows(8, 1), parts), settings, context)
    numbers = [[part.number(row) for row in range(len(part))] for part, _ in trained]
    assert numbers == [[*range(18, 24), *range(10)], list(range(10, 18))]
    for part, logits in trained:
        for row in range(len(part)):
            assert part[row] == whole[part.number(row)]
            with torch.no_grad():
                answer = teacher(input_ids=torch.tensor([part[row]["input_ids"]])).logits[0]
            torch.testing.assert_close(logits[part.number(row)], answer, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "third", [{"losses": {"logit_mse": 1}, "epochs": 2, "data": ["unlabelled"]}, {"data": ["train"]}]
)
def test_states_are_stored_of_the_rows_that_they_are_read_of(
    third: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def train_in_turn(modules: Any, parts: Any, *_: Any) -> History:
        given.extend(zip(modules, parts, strict=True))
        return History(0, 0, 0, 0.0, "fp32", 1, [])

    monkeypatch.setattr(stage, "train_in_turn", train_in_turn)
    asked: list[int] = []
    teacher = tiny.model()
    teacher.register_forward_pre_hook(
        lambda _module, _args, inputs: asked.append(len(inputs["input_ids"])), with_kwargs=True
    )
    phases = [{"data": ["train"]}, {"data": ["augmented"], "losses": {"hard_label": 1, "embedding": 1}}, third]
    settings = Distill.model_validate(
        {"epochs": 2, "losses": INNER, "precision": "fp32", "cache": {"budget_gb": 1}, "phases": phases}
    )
    context = Context("distill/tiny", tmp_path, tmp_path / "work", tmp_path, 0, lambda *_: None)
    parts = {"train": range(10), "unlabelled": range(10, 18), "augmented": range(18, 24)}
    whole = rows(24, 0)
    history = learn(tiny.model(layers=1), teacher, Lesson(whole, rows(8, 1), parts), settings, context)
    assert "on 16 rows take" in history.notes[0]
    plain = third["data"] == ["unlabelled"]
    assert sum(asked) == 1 + 16 + (8 if plain else 0)  # the first to see how large the states are
    (first, own), (_, other), (last, its) = given
    assert {own.number(row) for row in range(len(own))} == {*parts["train"]}
    assert first.teacher_logits[: len(own)].isfinite().all()
    numbers = [its.number(row) for row in range(len(its))]
    assert last.teacher_logits[numbers].isfinite().all()
    assert (last.teacher_states is None) is plain
    assert other.number(0) in first.teacher_states.numbers
