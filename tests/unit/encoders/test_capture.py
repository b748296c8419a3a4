import pytest
import tiny
import torch
from torch.testing import assert_close

from compress.encoders.capture import capture
from compress.encoders.families import FAMILIES
from compress.encoders.modules import base, layers, parts
from compress.encoders.surgery import Masks, cut


def test_a_forward_pass_replaces_the_one_before() -> None:
    model = tiny.model()
    one, two = tiny.batch(model, seed=1), tiny.batch(model, rows=2, length=5, seed=2)
    everything = dict.fromkeys(("hidden_states", "attention_scores", "relations", "embeddings", "sentence"), True)
    with torch.no_grad(), capture(model, **everything) as captured:
        model(**one)
        assert captured.hidden_states[0].shape == (3, 8, 32)
        model(**two)
    assert [state.shape for state in captured.hidden_states] == [(2, 5, 32)] * 2
    for kind in (captured.queries, captured.keys, captured.values):
        assert [states.shape for states in kind] == [(2, 4, 5, 8)] * 2
    assert torch.equal(captured.sentence, captured.hidden_states[-1][:, 0])
    assert [scores.shape for scores in tiny.scores(captured)] == [(2, 4, 5, 5)] * 2
    assert captured.embeddings.shape == (2, 5, 32)


def test_no_hook_is_left_behind_even_after_an_error() -> None:
    model = tiny.model()
    with pytest.raises(KeyError), capture(model, hidden_states=True, attention_scores=True, embeddings=True):
        raise KeyError
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    assert sum(hooks) == 0


def test_layers_of_differing_head_counts() -> None:
    model = tiny.model()
    heads = (torch.tensor([True, True, False, True]), torch.tensor([False, False, True, False]))
    small = cut(model, Masks(heads, Masks.full(model).neurons))
    with torch.no_grad(), capture(small, attention_scores=True) as captured:
        small(**tiny.batch(small))
    assert [scores.shape[1] for scores in tiny.scores(captured)] == [3, 1]
    assert [query.shape for query in captured.queries] == [(3, 3, 8, 8), (3, 1, 8, 8)]


def test_gradients_flow_from_all_that_is_captured() -> None:
    model = tiny.model().train()
    with capture(model, hidden_states=True, attention_scores=True, embeddings=True) as captured:
        model(**tiny.batch(model))
    words = base(model).embeddings.word_embeddings.weight
    captured.embeddings.square().sum().backward(retain_graph=True)
    assert words.grad.abs().sum() > 0
    assert parts(model)[0].query.weight.grad is None
    tiny.scores(captured)[0].square().sum().backward(retain_graph=True)
    assert parts(model)[0].key.weight.grad.abs().sum() > 0
    assert parts(model)[0].value.weight.grad is None
    (captured.hidden_states[0] ** 3).sum().backward()
    assert parts(model)[0].down.weight.grad.abs().sum() > 0
    assert parts(model)[1].down.weight.grad is None


def test_the_bare_encoder_can_be_called() -> None:
    model = tiny.model("distilbert")
    with torch.no_grad(), capture(model, hidden_states=True) as captured:
        last = base(model)(**tiny.batch(model)).last_hidden_state
    assert_close(captured.hidden_states[-1], last, rtol=0, atol=0)


def test_a_layer_that_returns_a_tuple_and_takes_its_input_by_name() -> None:
    model = tiny.model()
    plain = [layer.forward for layer in layers(model)]
    for layer, forward in zip(layers(model), plain, strict=True):
        layer.forward = lambda *args, forward=forward, **kwargs: (forward(*args, **kwargs), "more")
    with torch.no_grad(), capture(model, hidden_states=True, embeddings=True) as captured:
        states = torch.zeros(2, 4, 32)
        layers(model)[0](hidden_states=states)
    assert captured.embeddings is states
    assert captured.hidden_states[0].shape == (2, 4, 32)


def test_embeddings_that_were_not_asked_for() -> None:
    model = tiny.model()
    with torch.no_grad(), capture(model) as captured:
        model(**tiny.batch(model))
    with pytest.raises(RuntimeError, match="ask for `embeddings=True`"):
        _ = captured.embeddings
    with pytest.raises(RuntimeError, match="ask for `sentence=True`"):
        _ = captured.sentence
    assert captured.queries == captured.keys == captured.values == captured.hidden_states == []


@pytest.mark.parametrize(
    "family", [name for name in tiny.CUTTABLE if not FAMILIES[name].head_bias and not FAMILIES[name].relative]
)
def test_the_attention_is_made_of_what_is_captured(family: str) -> None:
    """Values weighted by the softmax of queries and keys are what enters the attention's output Linear."""
    model, seen = tiny.model(family), []
    batch = tiny.batch(model, length=4)  # within the reach of local attention
    for part in parts(model):
        part.output.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    with torch.no_grad(), capture(model, relations=True) as captured:
        model(**batch)
    hidden = ~batch["attention_mask"].bool()[:, None, None, :]
    for scores, values, joined in zip(tiny.scores(captured), captured.values, seen, strict=True):
        context = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ values
        assert_close(context.transpose(1, 2).flatten(2), joined)
