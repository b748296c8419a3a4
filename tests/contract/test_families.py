"""What every row of the families table promises."""

import inspect
import sys
from functools import cache

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from transformers import PreTrainedModel

from compress.config.settings import Architecture
from compress.encoders import checkpoint, families, modules, widths
from compress.encoders.capture import Captured, capture
from compress.encoders.rows import linear_of
from compress.encoders.surgery import Masks, cut, masked
from compress.errors import InputError

HEADS, NEURONS, LAYERS = 4, 12, 3
EVERY = pytest.mark.parametrize("family", families.FAMILIES)
CUTTABLE = pytest.mark.parametrize("family", tiny.CUTTABLE)
ATTENTIONS = pytest.mark.parametrize(
    ("family", "attention"),
    [
        (name, kind)
        for name, row in families.FAMILIES.items()
        for kind in ("sdpa", "eager")
        if row.sdpa or kind == "eager"
    ],
)
CUT_ATTENTIONS = pytest.mark.parametrize(
    ("family", "attention"), [pair for pair in ATTENTIONS.args[1] if pair[0] in tiny.CUTTABLE]
)
REFUSED = {
    "mpnet": {"scratch"},
    "xlnet": {"pca", "scratch", "prune", "attention"},
}
"""All that is refused of a family."""


@cache
def model(family: str, attention: str = "sdpa") -> PreTrainedModel:
    return tiny.model(family, layers=LAYERS, heads=HEADS, intermediate=NEURONS, attention=attention)


def batch_of(built: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Of a length that is no width of the model."""
    return tiny.batch(built, length=7)


def modules_of(family: str) -> int:
    return 1 if families.FAMILIES[family].shared_layers else LAYERS


def kept(units: int) -> st.SearchStrategy[torch.Tensor]:
    """Any of the units; often none, which takes the block away."""
    flags = st.one_of(st.just([False] * units), st.lists(st.booleans(), min_size=units, max_size=units))
    return flags.map(lambda given: torch.tensor(given, dtype=torch.bool))


@st.composite
def masks(draw: st.DrawFn, layers: int) -> Masks:
    return Masks(
        heads=tuple(draw(kept(HEADS)) for _ in range(layers)),
        neurons=tuple(draw(kept(NEURONS)) for _ in range(layers)),
    )


@EVERY
def test_a_row_names_every_module_that_holds_weights(family: str) -> None:
    built, found = model(family), modules.embeddings(model(family))
    outside = [*found, *modules.extras(built), modules.pooler(built), *modules.classifier(built)]
    inside = [module for layer in modules.layers(built) for module in layer.modules()]
    if family in tiny.CUTTABLE:
        inside = [getattr(module, "linear", module) for parts in modules.parts(built) for module in parts[1:]]
        assert len(modules.parts(built)) == modules_of(family)
    kinds = (nn.Linear, nn.Embedding, nn.LayerNorm)
    named = {id(module) for module in (*inside, *outside) if isinstance(module, kinds)}
    assert named == {id(module) for module in built.modules() if isinstance(module, kinds)}
    assert len(modules.layers(built)) == modules_of(family)


def test_what_is_refused_is_refused() -> None:
    assert {name: {*dict(row.refuses)} for name, row in families.FAMILIES.items() if row.refuses} == REFUSED
    for family in {*families.FAMILIES} - {*tiny.CUTTABLE}:
        built, reason = model(family), dict(families.FAMILIES[family].refuses)["prune"]
        for act in (modules.parts, Masks.full):
            with pytest.raises(InputError, match=f"the inside of {family} layers cannot be read or cut: {reason}"):
                act(built)


@EVERY
def test_the_token_that_the_head_reads_is_never_padding(family: str) -> None:
    """A row in a batch with longer ones is answered as alone, on whichever side it is padded."""
    built = model(family)
    batch = batch_of(built)
    for row, mask in enumerate(batch["attention_mask"].bool()):
        alone = {name: values[row : row + 1, mask] for name, values in batch.items()}
        with torch.no_grad():
            assert_close(built(**alone).logits[0], built(**batch).logits[row], rtol=0, atol=1e-5)


@CUTTABLE
def test_the_parts_have_the_widths_that_the_shape_says(family: str) -> None:
    built = model(family)
    shape, size = widths.shape_of(built.config), widths.head_size(built.config)
    assert shape == (LAYERS, 32, (HEADS,) * LAYERS, (NEURONS,) * LAYERS)
    assert widths.calls(built.config) == LAYERS
    assert size == 8
    row = families.family_of(built)
    for place, parts in enumerate(modules.parts(built)):
        for projection in parts.heads_in:
            assert projection.weight.shape == (HEADS * size, 32)
            assert (projection.in_features, projection.out_features) == (32, HEADS * size)
        assert parts.output.weight.shape == (32, HEADS * size)
        for projection in parts.neurons_in:
            assert projection.weight.shape == (NEURONS, 32)
        assert parts.down.weight.shape == (32, NEURONS)
        norms = [parts.output_norm] if row.pre_norm and place == 0 else [parts.attention_norm, parts.output_norm]
        assert all(norm.weight.shape == (32,) for norm in norms)
        if row.head_count and row.heads_width:
            assert getattr(parts.attention, row.head_count) == HEADS
            assert getattr(parts.attention, row.heads_width) == HEADS * size
    head = [modules.pooler(built), *modules.classifier(built)]
    first = next(linear for linear in head if linear is not None)
    assert first.in_features == 32
    assert modules.classifier(built)[-1].out_features == 3


@EVERY
def test_optimum_reads_the_same_shape_off_the_config(family: str) -> None:
    """Another library's table of where configs keep their numbers, and its inputs, agree with the row."""
    utils = pytest.importorskip("optimum.utils", reason="optimum is not installed")
    config = model(family).config
    try:
        normalized = utils.NormalizedConfigManager.get_normalized_config_class(config.model_type)(config)
    except KeyError:
        pytest.skip(f"optimum knows no {family}")
    row = families.FAMILIES[family]
    assert normalized.num_attention_heads == getattr(config, row.heads_key)
    assert normalized.num_layers == getattr(config, row.layers_key)
    assert normalized.hidden_size == getattr(config, row.hidden_key)
    maker = utils.DummyTextInputGenerator("text-classification", normalized, batch_size=2, sequence_length=9)
    with torch.inference_mode():
        logits = model(family)(**{name: maker.generate(name, framework="pt") for name in row.inputs}).logits
    assert logits.shape == (2, config.num_labels)


@EVERY
def test_the_inputs_are_those_of_forward(family: str) -> None:
    built = model(family)
    taken = inspect.signature(built.forward).parameters
    assert set(families.family_of(built).inputs) <= set(taken)
    if "token_type_ids" in families.family_of(built).inputs:
        batch = batch_of(built)
        other = {**batch, "token_type_ids": torch.zeros_like(batch["token_type_ids"])}
        assert not torch.equal(built(**batch).logits, built(**other).logits)


@EVERY
def test_the_longest_input_can_be_read_and_no_longer_one(family: str) -> None:
    built = model(family)
    longest = widths.max_length(built.config)
    row = families.family_of(built)
    assert longest == (64 if row.position or row.rotary else sys.maxsize)
    built(**tiny.batch(built, rows=1, length=64))
    if row.position is None:  # nothing ends: what is told is what was trained, if anything
        built(**tiny.batch(built, rows=1, length=65))
        return
    with pytest.raises((IndexError, RuntimeError)):
        built(**tiny.batch(built, rows=1, length=longest + 1))


@EVERY
def test_another_shape_can_be_built(family: str) -> None:
    config = widths.configured(model(family).config, Architecture(layers=1, hidden=24, heads=3, intermediate=8))
    student = type(model(family))(config).eval()
    assert student(**batch_of(student)).logits.shape == (3, 3)
    assert widths.shape_of(config) == (1, 24, (3,), (8,))
    neurons = [module for module in student.modules() if isinstance(module, nn.Linear) and 8 in module.weight.shape]
    assert {module.weight.shape for module in neurons} <= {(8, 24), (24, 8), (16, 24)}
    assert neurons
    assert widths.shape_of(model(family).config).hidden == 32


@CUT_ATTENTIONS
def test_captured_scores_give_the_attention_probabilities(family: str, attention: str) -> None:
    batch = batch_of(model(family))
    with torch.no_grad(), capture(model(family, attention), attention_scores=True) as captured:
        model(family, attention)(**batch)
    with torch.no_grad():
        eager = model(family, "eager")(**batch, output_attentions=True)
    assert len(captured.queries) == len(eager.attentions) == LAYERS
    pairs = list(zip(tiny.scores(captured), eager.attentions, strict=True))
    for layer, (scores, probabilities) in enumerate(pairs):
        unseen = hidden_from(model(family), batch["attention_mask"], layer)
        scores = with_distances(model(family), scores, captured, layer)
        real = batch["attention_mask"].bool()[:, None, :, None].expand_as(probabilities)
        found = scores.masked_fill(unseen, torch.finfo(scores.dtype).min).softmax(-1)
        assert_close(found[real], probabilities[real])
    assert captured.hidden_states == []


def hidden_from(built: PreTrainedModel, mask: torch.Tensor, layer: int) -> torch.Tensor:
    """Which keys no query of a layer sees: padding, and what lies outside a local layer's window."""
    places = torch.arange(mask.shape[1])
    kinds = getattr(built.config, "layer_types", None)
    window = built.config.sliding_window if kinds and kinds[layer] == "sliding_attention" else len(places)
    return (mask[:, None, None, :] == 0) | ((places[:, None] - places).abs() > window)


def with_distances(built: PreTrainedModel, scores: torch.Tensor, captured: Captured, layer: int) -> torch.Tensor:
    """The scores with what a family adds to the products of queries and keys by distance."""
    found = modules.extras(built)
    if found.head_bias is not None:
        return scores + modules.base(built).encoder.compute_position_bias(torch.zeros(1, 7, 1))
    if found.relative is not None:
        query, key = (every[layer].flatten(0, 1) for every in (captured.queries, captured.keys))
        encoder, attention = modules.base(built).encoder, modules.parts(built)[layer].attention
        with torch.no_grad():
            table = encoder.get_rel_embedding()
            beside = attention.disentangled_attention_bias(query, key, encoder.get_rel_pos(query), table, 3)
        return scores / 3**0.5 + beside.view_as(scores)
    return scores


@ATTENTIONS
def test_captured_states_are_those_of_transformers(family: str, attention: str) -> None:
    built = model(family, attention)
    batch = batch_of(built)
    with torch.no_grad(), capture(built, hidden_states=True, embeddings=True) as captured:
        logits = built(**batch).logits
    with torch.no_grad():
        official = built(**batch, output_hidden_states=True)
    assert_close([captured.embeddings, *captured.hidden_states], list(official.hidden_states), rtol=0, atol=0)
    assert_close(logits, official.logits, rtol=0, atol=0)


@CUT_ATTENTIONS
def test_cutting_equals_masking(family: str, attention: str) -> None:
    built = model(family, attention)
    batch = batch_of(built)

    @settings(max_examples=6, derandomize=True, deadline=None, database=None)
    @given(masks(modules_of(family)))
    def check(chosen: Masks) -> None:
        with torch.no_grad():
            with masked(built, chosen):
                expected = built(**batch).logits
            assert_close(cut(built, chosen)(**batch).logits, expected, rtol=0, atol=1e-5)

    check()


@CUTTABLE
def test_a_cut_of_a_cut_is_one_cut(family: str) -> None:
    built, layers = model(family), modules_of(family)
    first = Masks((torch.tensor([True, False, True, True]),) * layers, (torch.arange(NEURONS) % 2 == 0,) * layers)
    second = Masks((torch.tensor([False, True, True]),) * layers, (torch.arange(NEURONS // 2) > 1,) * layers)
    numbers = torch.arange(NEURONS)
    both = Masks((torch.tensor([False, False, True, True]),) * layers, ((numbers % 2 == 0) & (numbers > 3),) * layers)
    twice, once = cut(cut(built, first), second), cut(built, both)
    assert twice.config.compress == once.config.compress
    assert twice.config.compress == {"heads": [[2, 3]] * layers, "neurons": [4] * layers, "head_size": 8}
    assert_close(twice.state_dict(), once.state_dict(), rtol=0, atol=0)
    batch = batch_of(built)
    with torch.no_grad(), masked(built, both):
        expected = built(**batch).logits
    with torch.no_grad():
        assert_close(twice(**batch).logits, expected, rtol=0, atol=1e-5)


@CUTTABLE
def test_cutting_nothing_changes_nothing(family: str) -> None:
    built = model(family)
    same = cut(built, Masks.full(built))
    assert same is not built
    assert same.config.to_dict() == built.config.to_dict()
    assert_close(same.state_dict(), built.state_dict(), rtol=0, atol=0)


@CUT_ATTENTIONS
def test_a_cut_model_survives_the_disk_and_trains_on(family: str, attention: str, tmp_path) -> None:
    built = model(family)
    full = Masks.full(built)
    heads = [torch.arange(HEADS) > layer for layer in range(len(full.heads))]
    neurons = [torch.arange(NEURONS) != 3 + layer for layer in range(len(full.neurons))]
    small = cut(built, Masks(tuple(heads), tuple(neurons)))
    checkpoint.save(small, tmp_path)
    loaded = checkpoint.load(tmp_path, attention=attention)
    batch = batch_of(built)
    with torch.no_grad():
        assert_close(loaded(**batch).logits, small(**batch).logits)
    assert widths.shape_of(loaded.config) == widths.shape_of(small.config) != widths.shape_of(built.config)
    assert checkpoint.parameters(loaded) == checkpoint.parameters(small) < checkpoint.parameters(built)
    labels, losses = torch.tensor([0, 1, 2]), []
    optimizer = torch.optim.SGD(loaded.parameters(), lr=0.05)
    for _ in range(3):
        loss = loaded(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        assert all(linear_of(parts.query).weight.grad is not None for parts in modules.parts(loaded))
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
