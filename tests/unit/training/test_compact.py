"""Training with the word embeddings that occur."""

from collections.abc import Callable

import numpy as np
import pytest
import tiny
import torch

from compress.data.batches import Encoded
from compress.encoders.families import FAMILIES
from compress.encoders.reduction import factored
from compress.training.compact import compacted

Make = Callable[..., Encoded]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_answers_the_same_and_gives_all_embeddings_back(family: str, rows: Make) -> None:
    model, encoded = tiny.model(family), rows()
    whole = model.get_input_embeddings().weight
    before, size = whole.detach().clone(), sum(weight.numel() for weight in model.parameters())
    row = encoded[0]["input_ids"]
    batch = {"input_ids": torch.tensor(np.array(row))[None].long(), "attention_mask": torch.ones(1, len(row)).long()}
    expected = model(**batch).logits
    with compacted(model, (encoded,)):
        assert sum(weight.numel() for weight in model.parameters()) < size
        torch.testing.assert_close(model(**batch).logits, expected)
        model(**batch).logits.sum().backward()
        with torch.no_grad():
            model.get_input_embeddings().weight += 1
    assert model.get_input_embeddings().weight is whole
    used = np.union1d(encoded.ids, [0])
    unused = np.setdiff1d(np.arange(len(whole)), used)
    torch.testing.assert_close(whole[used], before[used] + 1)
    assert torch.equal(whole[unused], before[unused])


def test_a_vocabulary_that_occurs_is_left_alone(rows: Make) -> None:
    model = tiny.model()
    all_tokens = Encoded(
        ids=np.arange(100, dtype=np.int32), types=None, starts=np.array([0, 100]), labels=np.array([0]), pad_id=0
    )
    with compacted(model, (rows(), all_tokens)):
        assert isinstance(model.get_input_embeddings(), torch.nn.Embedding)


def test_a_factored_table_is_compacted_too(rows: Make) -> None:
    model, encoded = factored(tiny.model(), 6, torch.ones(100), []), rows()
    whole = model.get_input_embeddings()
    batch = {"input_ids": torch.from_numpy(encoded.ids[None, :8]).long()}
    expected = model(**batch).logits
    with compacted(model, (encoded,)):
        assert len(model.get_input_embeddings().weight) < 100
        torch.testing.assert_close(model(**batch).logits, expected)
        model(**batch).logits.sum().backward()
    assert model.get_input_embeddings() is whole
    assert whole.projection.weight.grad.abs().sum() > 0
    torch.testing.assert_close(model(**batch).logits, expected)
