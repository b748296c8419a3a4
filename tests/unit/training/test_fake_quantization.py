"""Training as the INT8 export computes."""

from pathlib import Path

import graphs
import numpy as np
import pytest
import tiny
import torch
from torch import nn
from torch.testing import assert_close
from transformers import PreTrainedModel

from compress.config.settings import Distill
from compress.data.batches import Encoded
from compress.encoders.graph import export_graph
from compress.encoders.reduction import factored
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError
from compress.quantization.dynamic import dynamic
from compress.training.compact import CompactEmbedding, compacted
from compress.training.fake_quantization import fake_quantized
from compress.training.objective import Distillation


def traces(model: nn.Module) -> list[str]:
    hooks = [name for name, module in model.named_modules() if module._forward_pre_hooks or module._forward_hooks]
    return hooks + [name for name, module in model.named_modules() if "forward" in vars(module)]


@pytest.mark.parametrize(
    ("family", "uneven"),
    [
        ("bert", False),
        ("bert", True),
        ("distilbert", False),
        ("albert", False),  # one layer, called twice
        ("deberta-v2", False),  # Linears that read distances too
        ("modernbert", False),  # fused Linears, and no token that stands for all
    ],
)
def test_it_answers_as_the_int8_export(family: str, uneven: bool, tmp_path: Path) -> None:
    model = graphs.model(family, uneven=uneven)
    check_answers(model, graphs.graph(family, uneven=uneven), tmp_path)


def test_it_answers_as_the_int8_export_of_what_blocks_and_a_rank_are_left(tmp_path: Path) -> None:
    whole = tiny.model(layers=3)
    whole = factored(whole, 8, torch.ones(tiny.VOCABULARY), [tiny.batch(whole)])
    masks = Masks.full(whole)
    masks.neurons[0][:] = False
    masks.heads[2][:] = False
    model = cut(whole, masks)
    export_graph(model, tmp_path / "model.onnx")
    check_answers(model, tmp_path / "model.onnx", tmp_path)


def check_answers(model: PreTrainedModel, graph: Path, folder: Path) -> None:
    """See that a model rounds as its export does, and as before after that."""
    dynamic(graph, folder / "int8.onnx", list)
    batch = tiny.batch(model, rows=6, length=10)
    alone = []
    for row, length in enumerate(batch["attention_mask"].sum(1)):
        feed = {name: values[row : row + 1, :length].numpy() for name, values in batch.items()}
        alone.append(graphs.answers(folder / "int8.onnx", feed)[0])
    exported = torch.tensor(np.stack(alone))
    with torch.no_grad():
        plain = model(**batch).logits
        with fake_quantized(model):
            fake = model(**batch).logits
        again = model(**batch).logits
    assert (fake - exported).abs().mean() < 0.3 * (plain - exported).abs().mean()
    assert torch.equal(again, plain)
    assert traces(model) == []


def test_nothing_is_left_after_an_error_and_names_stay() -> None:
    model = tiny.model()
    names = set(model.state_dict())
    with fake_quantized(model):
        assert set(model.state_dict()) == names
    with pytest.raises(IndexError), fake_quantized(model):
        model(input_ids=torch.tensor([[10_000]]), attention_mask=torch.ones(1, 1).long())
    assert traces(model) == []


def test_gradients_pass_the_rounding() -> None:
    model = tiny.model()
    batch = tiny.batch(model)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model(**batch).logits[:, 0].sum().backward()
        return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    plain = gradients()
    with fake_quantized(model):
        fake = gradients()
    assert len(fake) == len(plain)
    for one, other in zip(fake, plain, strict=True):
        if other.norm() > 1e-4:
            assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.95
            assert float(one.norm()) == pytest.approx(float(other.norm()), rel=0.15)


def test_padding_and_other_rows_change_nothing() -> None:
    model = tiny.model()
    batch = tiny.batch(model, rows=3, length=9)
    short = {name: values[2:, :7] for name, values in batch.items()}
    with torch.no_grad(), fake_quantized(model):
        assert_close(model(**batch).logits[2:], model(**short).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [None, 8])
def test_absent_tokens_count_in_the_tables_range(rank: int | None) -> None:
    model = tiny.model()
    if rank is not None:
        model = factored(model, rank, torch.ones(tiny.VOCABULARY), [tiny.batch(model)])
    with torch.no_grad():
        model.get_input_embeddings().weight[99] *= 20
    batch = {name: values % 50 for name, values in tiny.batch(model).items()}
    part = Encoded(np.arange(50, dtype=np.int32), None, np.array([0, 50]), np.array([0]), pad_id=0)
    with torch.no_grad(), fake_quantized(model):
        whole = model(**batch).logits
    with compacted(model, (part,)):
        assert isinstance(model.get_input_embeddings(), CompactEmbedding)
        assert len(model.get_input_embeddings().weight) == 50
        with torch.no_grad(), fake_quantized(model):
            assert_close(model(**batch).logits, whole)
        plain = model(**batch).logits
    assert (plain - whole).abs().max() > 1e-3


def test_products_in_bf16_are_those_of_integers() -> None:
    model = tiny.model(hidden=64, layers=1)
    query = model.get_submodule("bert.encoder.layer.0.attention.self.query")
    states = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))
    found = []

    def look(_module: nn.Module, _args: object, output: torch.Tensor) -> None:
        found.append(query(states))

    hook = model.get_input_embeddings().register_forward_hook(look)
    for enabled in (False, True):
        batch = tiny.batch(model, rows=2, length=5)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled), fake_quantized(model):
            model(**batch)
    hook.remove()
    assert found[1].dtype == torch.bfloat16
    assert_close(found[1].float(), found[0], rtol=2**-7, atol=2**-7)


def test_a_family_without_such_linears_is_refused_before_the_training() -> None:
    with pytest.raises(InputError, match="a xlnet layer has no such parts"):
        Distillation(tiny.model("xlnet"), tiny.model("xlnet"), Distill(fake_quantize="int8"))
