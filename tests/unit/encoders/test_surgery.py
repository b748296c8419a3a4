import pytest
import tiny
import torch
from torch import nn
from torch.testing import assert_close

from compress.encoders import families, surgery
from compress.encoders.modules import layers, parts
from compress.encoders.surgery import Masks, cut, masked, scaled
from compress.errors import CompressError, InputError


def some(model) -> Masks:
    full = Masks.full(model)
    return Masks(
        (torch.tensor([True, False, False, True]), *full.heads[1:]), (torch.arange(64) % 3 == 0, *full.neurons[1:])
    )


def test_masking_ends_with_its_context() -> None:
    model = tiny.model()
    batch = tiny.batch(model)
    with torch.no_grad():
        before = model(**batch).logits
        with masked(model, some(model)):
            assert not torch.allclose(model(**batch).logits, before)
        assert_close(model(**batch).logits, before, rtol=0, atol=0)


def test_masking_a_head_silences_its_columns_of_the_output() -> None:
    model = tiny.model(layers=1)
    head = Masks((torch.tensor([True, False, True, True]),), Masks.full(model).neurons)
    silenced = tiny.model(layers=1)
    with torch.no_grad():
        parts(silenced)[0].output.weight[:, 8:16] = 0
        with masked(model, head):
            assert_close(model(**tiny.batch(model)).logits, silenced(**tiny.batch(model)).logits)


def test_scales_of_one_change_nothing_and_take_gradients_for_each_row() -> None:
    model = tiny.model()
    batch = tiny.batch(model)
    heads = [torch.ones(3, 4, requires_grad=True) for _ in range(2)]
    neurons = [torch.ones(3, 64, requires_grad=True) for _ in range(2)]
    with scaled(model, heads, neurons):
        logits = model(**batch).logits
    assert_close(logits, model(**batch).logits, rtol=0, atol=0)
    logits[1].sum().backward()
    for scale in (*heads, *neurons):
        assert scale.grad[1].abs().sum() > 0
        assert scale.grad[[0, 2]].abs().sum() == 0


def test_a_cut_leaves_the_model_alone_and_keeps_modes() -> None:
    model = tiny.model().train()
    parts(model)[0].up.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    small = cut(model, some(model))
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert not hasattr(model.config, "compress")
    assert small.training
    assert not cut(model.eval(), some(model)).training
    frozen = [name for name, parameter in small.named_parameters() if not parameter.requires_grad]
    assert frozen == ["bert.encoder.layer.0.intermediate.dense.weight"]
    assert all(parameter.is_contiguous() and parameter.is_leaf for parameter in small.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in small.modules())


def test_a_cut_changes_no_weight_but_the_ones_in_its_groups() -> None:
    model = tiny.model()
    small = cut(model, some(model))
    state, changed = model.state_dict(), small.state_dict()
    differing = {name for name in state if state[name].shape != changed[name].shape}
    layer = "bert.encoder.layer.0."
    assert differing == {
        *(f"{layer}attention.self.{name}.{kind}" for name in ("query", "key", "value") for kind in ("weight", "bias")),
        f"{layer}attention.output.dense.weight",
        f"{layer}intermediate.dense.weight",
        f"{layer}intermediate.dense.bias",
        f"{layer}output.dense.weight",
    }
    assert_close(
        {name: state[name] for name in state.keys() - differing},
        {name: changed[name] for name in state.keys() - differing},
    )
    assert torch.equal(
        changed[f"{layer}attention.self.key.bias"],
        state[f"{layer}attention.self.key.bias"][[*range(8), *range(24, 32)]],
    )


def test_the_modules_say_what_they_hold() -> None:
    small = cut(tiny.model(), some(tiny.model()))
    attention = layers(small)[0].attention.self
    assert (attention.num_attention_heads, attention.all_head_size, attention.query.out_features) == (2, 16, 16)
    assert parts(small)[0].down.in_features == parts(small)[0].up.out_features == 22
    assert small.config is small.base_model.config
    assert small.config.num_attention_heads == 4


def test_a_single_layer_of_one_head_and_one_neuron() -> None:
    model = tiny.model("albert", layers=1)
    one = Masks((torch.arange(4) == 2,), (torch.arange(64) == 9,))
    with torch.no_grad(), masked(model, one):
        expected = model(**tiny.batch(model)).logits
    assert_close(cut(model, one)(**tiny.batch(model)).logits, expected)


def without_first_blocks(model) -> Masks:
    full = Masks.full(model)
    return Masks(
        (torch.zeros(4, dtype=torch.bool), *full.heads[1:]), (torch.zeros(64, dtype=torch.bool), *full.neurons[1:])
    )


@pytest.mark.parametrize("family", ["bert", "distilbert", "albert"])
def test_a_block_without_units_leaves_its_bias_its_residual_and_its_norm(family: str) -> None:
    model = tiny.model(family)
    small, batch = cut(model, without_first_blocks(model)), tiny.batch(model)
    layer = f"{small.base_model_prefix}.{families.family_of(model).layers}.0."
    kept = {name.removeprefix(layer) for name in small.state_dict() if name.startswith(layer)}
    row = families.family_of(model)
    norms = {f"{norm}.{kind}" for norm in (row.attention_norm, row.output_norm) for kind in ("weight", "bias")}
    assert kept == {f"{row.output}.bias", f"{row.down}.bias", *norms}
    part = parts(small)[0]
    states, found = torch.randn(2, 5, 32), []
    part.output_norm.register_forward_hook(lambda _module, _args, output: found.append(output))
    with torch.no_grad():
        layers(small)[0](states, None)
        inner = part.attention_norm(states + part.output.bias)
        assert_close(found[0], part.output_norm(inner + part.down.bias))
        with masked(model, without_first_blocks(model)):
            expected = model(**batch).logits
        assert_close(small(**batch).logits, expected)


def test_masks_and_scales_of_a_model_that_lost_blocks() -> None:
    small = cut(tiny.model(), without_first_blocks(tiny.model()))
    full = Masks.full(small)
    assert [len(mask) for mask in (*full.heads, *full.neurons)] == [0, 4, 0, 64]
    factors = [torch.ones(3, len(mask), requires_grad=True) for mask in (*full.heads, *full.neurons)]
    batch = tiny.batch(small)
    with scaled(small, factors[:2], factors[2:]):
        logits = small(**batch).logits
    assert_close(logits, small(**batch).logits, rtol=0, atol=0)
    gradients = torch.autograd.grad(logits.sum(), factors)
    assert [gradient.shape for gradient in gradients] == [(3, 0), (3, 4), (3, 0), (3, 64)]
    assert gradients[1].abs().sum() > 0
    assert cut(small, full).config.compress == small.config.compress


@pytest.mark.parametrize(
    ("heads", "neurons", "message"),
    [
        ([[1, 1, 1, 1]], [[1] * 64], "for 1 layers, the model has 2"),
        (
            [[1, 1, 1], [1, 1, 1, 1]],
            [[1] * 64] * 2,
            r"layer 0: the mask of the heads is torch.bool \(3,\), .* torch.bool \(4,\)",
        ),
    ],
)
@pytest.mark.parametrize("use", [cut, lambda model, masks: masked(model, masks).__enter__()])
def test_masks_that_do_not_fit_are_refused(heads, neurons, message, use) -> None:
    masks = Masks(*(tuple(torch.tensor(row, dtype=torch.bool) for row in rows) for rows in (heads, neurons)))
    with pytest.raises(InputError, match=message):
        use(tiny.model(), masks)


def test_masks_that_are_not_booleans_are_refused() -> None:
    model = tiny.model()
    full = Masks.full(model)
    with pytest.raises(InputError, match=r"torch.float32 \(4,\)"):
        cut(model, Masks(tuple(mask.float() for mask in full.heads), full.neurons))


def test_a_graph_that_couples_more_than_the_row_promises_is_refused() -> None:
    model = tiny.model()
    first, second = (part.up for part in parts(model))

    class Both(nn.Module):
        def __init__(self, one: nn.Module) -> None:
            super().__init__()
            self.one, self.other = one, nn.Linear(32, 64)

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return self.one(states) + self.other(states)

    layers(model)[0].intermediate = Both(layers(model)[0].intermediate)
    graph = surgery._graph(model)
    keep = torch.arange(64) > 0
    with pytest.raises(
        CompressError, match=r"intermediate.one.dense is not the one its family's row promises: .*intermediate.other"
    ):
        surgery._remove(graph, (first,), parts(tiny.model())[0].down, keep)
    assert first.out_features == second.out_features == 64
