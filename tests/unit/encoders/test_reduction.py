import pytest
import tiny
import torch
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification

from compress.encoders.modules import embeddings
from compress.encoders.reduction import factored, narrowed
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError
from compress.pruning.vocabulary import shrink


def test_states_that_lie_in_few_dimensions_lose_nothing() -> None:
    model = tiny.model(layers=1)
    batch = tiny.batch(model, rows=16, length=12)
    small = narrowed(model.train(), 30, [batch])
    assert small.training
    assert model.config.hidden_size == 32
    assert not hasattr(model.config, "compress")
    with torch.no_grad():
        near = (small.eval()(**batch).logits - model.eval()(**batch).logits).square().mean()
        spread = model(**batch).logits.var()
    assert near < 0.2 * spread


def test_a_table_of_low_rank_is_factored_without_loss() -> None:
    model = tiny.model()
    table, batch = model.get_input_embeddings(), tiny.batch(model)
    with torch.no_grad():
        table.weight.copy_(torch.randn(100, 5) @ torch.randn(5, 32))
        small = factored(model, 5, torch.ones(100), [])
        assert_close(small(**batch).logits, model(**batch).logits, rtol=1e-4, atol=1e-4)
    assert small.get_input_embeddings().weight.shape == (100, 5)
    lower = factored(small, 3, torch.ones(100), [])
    assert lower.config.compress["embedding_rank"] == 3


def test_a_factored_table_with_a_projection_behind_it_is_kept_as_states_become_narrower() -> None:
    config = tiny.model("deberta-v2").config
    config.embedding_size = 16
    small = factored(AutoModelForSequenceClassification.from_config(config).eval(), 6, torch.ones(100), [])
    narrow = narrowed(small, 24, [tiny.batch(small, rows=16, length=12)])
    assert_close(embeddings(narrow).word.state_dict(), embeddings(small).word.state_dict())
    assert embeddings(narrow).projection.weight.shape == (24, 16)


def test_frequent_tokens_are_kept_nearest() -> None:
    model = tiny.model()
    counts = torch.zeros(100)
    counts[:8] = 1000
    word = embeddings(factored(model, 8, counts, [])).word
    with torch.no_grad():
        missing = (word(torch.arange(100)) - model.get_input_embeddings().weight).norm(dim=1)
    assert missing[:8].max() < 0.1 * missing[8:].mean()


def test_what_cannot_be_reduced_is_refused() -> None:
    model = tiny.model()
    full = Masks.full(model)
    gone = cut(model, Masks((torch.zeros(4, dtype=torch.bool), *full.heads[1:]), full.neurons))
    with pytest.raises(InputError, match="its hidden states are 32 wide, so they cannot be cut to 32"):
        narrowed(model, 32, [])
    with pytest.raises(InputError, match="its word embeddings are of rank 32, so they cannot be cut to 40"):
        factored(model, 40, torch.ones(100), [])
    with pytest.raises(InputError, match=r"layer 0 has no attention block, .* Leave it out"):
        narrowed(gone, 16, [tiny.batch(model)])
    model = tiny.model("electra")
    gone = cut(model, Masks((torch.zeros(4, dtype=torch.bool), *full.heads[1:]), full.neurons))
    with pytest.raises(InputError, match=r"layer 0 has no attention block, .* Leave it out"):
        factored(gone, 12, torch.ones(100), [tiny.batch(model)])


def test_a_factored_table_loses_tokens_and_keeps_its_other_factor() -> None:
    small = factored(tiny.model(), 6, torch.ones(100), [])
    kept = [*range(5), 40, 41, 70]
    ids = torch.tensor([[2, 40, 70, 3]])
    with torch.no_grad():
        expected = small(input_ids=ids).logits
        shrink(small, kept)
        assert_close(small(input_ids=torch.tensor([[2, 5, 7, 3]])).logits, expected)
    assert small.get_input_embeddings().weight.shape == (8, 6)
