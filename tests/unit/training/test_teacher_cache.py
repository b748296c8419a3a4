"""The teacher's stored answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch

from compress.config.settings import Distill
from compress.data.batches import Encoded, collate
from compress.training import teacher_cache
from compress.training.teacher_cache import cached_logits, worth_caching

Make = Callable[..., Encoded]


def test_they_are_the_teachers_in_the_order_of_the_rows(rows: Make, tmp_path: Path) -> None:
    teacher, encoded, told = tiny.model(), rows(150), []
    found = cached_logits(teacher, encoded, tmp_path, "key", lambda *news: told.append(news), precision="fp32")
    with torch.no_grad():
        batch = collate([encoded[row] for row in range(150)], encoded.pad_id)
        expected = teacher(**{name: batch[name] for name in ("input_ids", "attention_mask")}).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert told[-1][:2] == (150, 150)
    assert [path.name for path in tmp_path.iterdir()] == ["key.safetensors"]


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
    assert worth_caching(Distill(losses={"soft_label": 1, "hard_label": 1}, epochs=2))
    assert not worth_caching(Distill(losses={"soft_label": 1}, epochs=1))
    assert not worth_caching(Distill(losses={"soft_label": 1, "hidden_state": 1}, epochs=2))
    assert not worth_caching(Distill(losses={"hard_label": 1}, epochs=2))
