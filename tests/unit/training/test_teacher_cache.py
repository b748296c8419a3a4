"""The teacher's stored answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch

from compress.config.settings import Distill
from compress.data.batches import Encoded, collate
from compress.data.sources import Rows
from compress.errors import InputError
from compress.training import teacher_cache
from compress.training.teacher_cache import averaged, cached_logits, called_logits, worth_caching

Make = Callable[..., Encoded]


def test_they_are_the_teachers_in_the_order_of_the_rows(rows: Make, tmp_path: Path) -> None:
    teacher, encoded, told = tiny.model(), rows(150), []
    found = cached_logits(teacher, encoded, tmp_path, "key", lambda *news: told.append(news), precision="fp32")
    with torch.no_grad():
        batch = collate([encoded[row] for row in range(150)], encoded.pad_id)
        expected = teacher(**{name: batch[name] for name in ("input_ids", "attention_mask")}).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert told[-1][:2] == (150, 150)
    assert {path.name for path in tmp_path.iterdir()} == {"key.safetensors", "key.safetensors.seal"}


def test_they_are_computed_once_for_a_key(rows: Make, tmp_path: Path) -> None:
    first = cached_logits(tiny.model(), rows(), tmp_path, "key")
    assert torch.equal(cached_logits(tiny.model(seed=1), rows(), tmp_path, "key"), first)
    assert not torch.equal(cached_logits(tiny.model(seed=1), rows(), tmp_path, "other"), first)


def test_an_interrupted_computation_goes_on(rows: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_cache, "PART", 1)
    expected = cached_logits(tiny.model(), rows(150), tmp_path / "whole", "key")

    def stop(done: int, _total: int, _note: str) -> None:
        if done == 128:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_logits(tiny.model(), rows(150), tmp_path, "key", stop)
    teacher = tiny.model()
    calls: list[int] = []
    teacher.register_forward_hook(lambda *_: calls.append(1))
    assert torch.equal(cached_logits(teacher, rows(150), tmp_path, "key"), expected)
    assert len(calls) == 1


def test_a_damaged_file_is_made_again(rows: Make, tmp_path: Path) -> None:
    expected = cached_logits(tiny.model(), rows(), tmp_path, "key")
    (tmp_path / "key.safetensors").write_bytes(b"no tensors")
    assert torch.equal(cached_logits(tiny.model(), rows(), tmp_path, "key"), expected)


def test_when_it_pays() -> None:
    assert worth_caching([Distill(losses={"soft_label": 1, "hard_label": 1}, epochs=2)])
    assert not worth_caching([Distill(losses={"soft_label": 1}, epochs=1)])
    assert not worth_caching([Distill(losses={"soft_label": 1, "hidden_state": 1}, epochs=2)])
    assert not worth_caching([Distill(losses={"hard_label": 1}, epochs=2)])
    once = Distill(losses={"soft_label": 1}, epochs=1)
    assert worth_caching([once, once])
    assert not worth_caching([once, Distill(losses={"hidden_state": 1}, epochs=2)])


def test_one_teachers_average_is_its_own() -> None:
    logits = torch.randn(5, 3)
    assert torch.equal(averaged({"teacher": 7.0}, {"teacher": lambda: logits}), logits)


def test_the_average_is_the_geometric_mean_of_the_answers() -> None:
    voices = {name: torch.randn(5, 3) for name in ("teacher", "big")}
    found = averaged({"teacher": 1.0, "big": 3.0}, {name: (lambda made=made: made) for name, made in voices.items()})
    one, other = (voices[name].softmax(-1) for name in ("teacher", "big"))
    mean = one**0.25 * other**0.75
    torch.testing.assert_close(found.softmax(-1), mean / mean.sum(-1, keepdim=True))


def test_teachers_of_other_labels_are_refused() -> None:
    voices = {"teacher": lambda: torch.zeros(5, 3), "big": lambda: torch.zeros(5, 2)}
    with pytest.raises(InputError, match=r"teacher \(5, 3\), big \(5, 2\)"):
        averaged({"teacher": 1.0, "big": 1.0}, voices)


def test_a_program_is_asked_in_batches_and_once(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def answer(texts: list[str], pairs: list[str] | None, labels: list[str]) -> list[list[float]]:
        assert (pairs, labels) == (None, ["a", "b"])
        asked.append(texts)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return [[float(text), -1.0] for text in texts]

    rows, told = Rows([str(number) for number in range(150)], None, [0] * 150), []
    with pytest.raises(KeyboardInterrupt):
        called_logits(answer, rows, ["a", "b"], tmp_path, "teacher-api")
    found = called_logits(answer, rows, ["a", "b"], tmp_path, "teacher-api", lambda *news: told.append(news))
    assert torch.equal(found[:, 0], torch.arange(150.0))
    assert [len(texts) for texts in asked] == [64, 64, 64, 22]
    assert told[-1] == (150, 150, "the teacher api answers the training rows")
    assert torch.equal(called_logits(answer, rows, ["a", "b"], tmp_path, "teacher-api"), found)
    assert len(asked) == 4


@pytest.mark.parametrize("answers", [[[0.0]], [[0.0, float("nan")]], [["x", "y"]], [[0.0], [1.0, 2.0]]])
def test_a_program_that_answers_something_else_is_told(answers: list, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"teacher-api: its answers to rows 0 to 0"):
        called_logits(lambda *_: answers, Rows(["x"], None, [0]), ["a", "b"], tmp_path, "teacher-api")
