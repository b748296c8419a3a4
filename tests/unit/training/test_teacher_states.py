"""The teacher's inner states on disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from transformers import PreTrainedModel

from compress.config.settings import Distill
from compress.data.batches import Encoded, collate
from compress.encoders.capture import capture
from compress.encoders.families import FAMILIES, family_of
from compress.encoders.widths import calls
from compress.training import teacher_states
from compress.training.objective import INNER, Distillation
from compress.training.teacher_states import LOGITS, SEAL, STATES, States, cached_states

Make = Callable[..., Encoded]
ALL = dict.fromkeys(INNER, True)


def stored(teacher: PreTrainedModel, rows: Encoded, folder: Path, **changes: object) -> States:
    layers = range(calls(teacher.config))
    found, _ = cached_states(teacher, rows, folder, read_of(teacher), layers, 1e9, **changes)  # type: ignore[arg-type]
    assert found is not None
    return found


def read_of(teacher: PreTrainedModel) -> dict[str, bool]:
    """What can be read of it."""
    closed = "attention" in dict(family_of(teacher).refuses)
    return {name: not closed or name not in ("attention_scores", "relations") for name in ALL}


def by_token(states: torch.Tensor) -> torch.Tensor:
    """(rows, tokens, …) of states with heads or without."""
    return states if states.dim() == 3 else states.transpose(1, 2)


def batch(rows: Encoded, numbers: list[int]) -> dict[str, torch.Tensor]:
    return collate([rows[number] for number in numbers], rows.pad_id, left=rows.left)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_they_are_what_happens_inside_the_teacher(family: str, rows: Make, tmp_path: Path) -> None:
    teacher, numbers = tiny.model(family), [7, 0, 69, 3]
    row = family_of(teacher)
    encoded = replace(rows(70, types="token_type_ids" in row.inputs), left=row.reads_last)
    made = batch(encoded, numbers)
    with torch.no_grad(), capture(teacher, **read_of(teacher)) as expected:
        logits = teacher(**{name: made[name] for name in family_of(teacher).inputs}).logits
    states = stored(teacher, encoded, tmp_path)
    torch.testing.assert_close(states.answers(70)[numbers], logits)
    found = states(torch.tensor(numbers), made["attention_mask"])
    real = made["attention_mask"].bool()
    for name in ("hidden_states", "queries", "keys", "values"):
        one, other = getattr(found, name), getattr(expected, name)
        assert len(one) == len(other)
        for layer, right in zip(one, other, strict=True):
            assert layer.shape == right.shape
            torch.testing.assert_close(by_token(layer)[real], by_token(right)[real], rtol=1e-3, atol=2e-3)
            assert not by_token(layer)[~real].any()
    torch.testing.assert_close(found.embeddings[real], expected.embeddings[real], rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(found.sentence, expected.sentence, rtol=1e-3, atol=2e-3)


def test_a_student_learns_the_same_from_them(rows: Make, tmp_path: Path) -> None:
    student, teacher, encoded = tiny.model(hidden=16, seed=1), tiny.model(layers=4), rows()
    inner = ("hidden_state", "cosine", "attention", "embedding", "minilm_relation", "pkd", "rkd")
    settings = Distill(losses=dict.fromkeys((*inner, "logit_mse"), 1.0), layer_mapping="dynamic")
    numbers = [3, 17, 5]
    made = {name: value for name, value in batch(encoded, numbers).items() if name != "labels"}
    live = Distillation(student, teacher, settings).train()
    found, _ = cached_states(teacher, encoded, tmp_path, live.inner, live.teacher_layers, 1e9)
    with torch.no_grad():
        logits = torch.zeros(len(encoded), 3)
        logits[numbers] = teacher(input_ids=made["input_ids"], attention_mask=made["attention_mask"]).logits
        torch.manual_seed(0)
        expected = live(**made)
        teacher.forward = None  # a call would fail
        kept = Distillation(student, teacher, settings, teacher_logits=logits, teacher_states=found).train()
        torch.manual_seed(0)
        result = kept(**made, index=torch.tensor(numbers))
    assert set(result["parts"]) == set(settings.losses)
    for name, part in result["parts"].items():
        torch.testing.assert_close(part, expected["parts"][name], rtol=2e-3, atol=1e-4, msg=name)


def test_only_what_is_read_takes_room_and_the_size_is_told_before(rows: Make, tmp_path: Path) -> None:
    teacher, encoded, told = tiny.model(layers=4), rows(), []
    inner = {**dict.fromkeys(INNER, False), "hidden_states": True}
    found, note = cached_states(teacher, encoded, tmp_path, inner, {1, 3}, 1e9, lambda *news: told.append(news))
    size = len(encoded.ids) * 2 * 32 * 2
    assert (tmp_path / STATES).stat().st_size == size
    assert told[0] == (
        0,
        0,
        f"the teacher's inner states on 40 rows take {size / 1e3:#.3g} kB, on disk while the student is trained",
    )
    assert told[-1][:2] == (40, 40)
    assert note.endswith("were stored")
    assert found is not None
    inside = found(torch.tensor([0]), torch.ones(1, encoded.lengths[0]))
    assert [len(layer) for layer in inside.hidden_states] == [0, 1, 0, 1]


def test_states_of_some_rows_are_found_by_the_numbers_of_the_rows(rows: Make, tmp_path: Path) -> None:
    teacher, encoded, chosen = tiny.model(), rows(), [30, 2, 17]
    whole, part = stored(teacher, encoded, tmp_path / "all"), stored(teacher, encoded.part(chosen), tmp_path / "part")
    assert (tmp_path / "part" / STATES).stat().st_size < (tmp_path / "all" / STATES).stat().st_size / 5
    mask = batch(encoded, [17, 30])["attention_mask"]
    for name in ("embeddings", "sentence"):
        one, other = (getattr(states(torch.tensor([17, 30]), mask), name) for states in (part, whole))
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-3)
    answers = part.answers(len(encoded))
    torch.testing.assert_close(answers[chosen], whole.answers(len(encoded))[chosen])
    assert answers.isnan().all(1).sum() == len(encoded) - 3


def test_above_the_budget_nothing_is_stored(rows: Make, tmp_path: Path) -> None:
    found, note = cached_states(tiny.model(), rows(), tmp_path, ALL, {0, 1}, 1000)
    assert found is None
    assert "`cache.budget_gb` allows 1.00 kB: the teacher runs beside the student" in note
    assert not list(tmp_path.iterdir())


def test_an_interrupted_computation_goes_on(rows: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_states, "SIZE", 16)
    monkeypatch.setattr(teacher_states, "PART", 2)
    encoded = rows(70)
    stored(tiny.model(), encoded, tmp_path / "whole")

    def stop(done: int, _total: int, _note: str) -> None:
        if done == 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored(tiny.model(), encoded, tmp_path / "cut", notify=stop)
    teacher, asked = tiny.model(), []
    teacher.register_forward_hook(lambda *_: asked.append(1))
    stored(teacher, encoded, tmp_path / "cut")
    assert len(asked) == 4  # the size, and the third to the fifth batch
    for name in (STATES, LOGITS):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    stored(teacher, encoded, tmp_path / "cut")
    assert len(asked) == 5
    assert (tmp_path / "cut" / SEAL).is_file()
