import graphs
import numpy
import pytest
import tiny
import torch

from compress.encoders.families import FAMILIES
from compress.encoders.tracing import Logits, bounded, example, traceable


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("masked", [torch.finfo(torch.float32).min, -3e4])
def test_what_is_traced_answers_as_the_model(family: str, masked: float) -> None:
    model = graphs.model(family)
    batch = tiny.batch(model)
    with torch.inference_mode():
        answers = Logits(model, masked=masked)(**batch).numpy()
    numpy.testing.assert_allclose(answers, model(**batch).logits.detach().numpy(), atol=2e-6)


def test_the_model_is_left_as_it_is() -> None:
    model = tiny.model().train()
    made = traceable(model)
    assert (model.training, model.config._attn_implementation) == (True, "sdpa")
    assert all(value.requires_grad for value in model.parameters())
    assert (made.training, made.config._attn_implementation) == (False, "eager")


def test_an_example_has_padding_and_the_familys_inputs() -> None:
    made = example(graphs.model("distilbert"), 3, 10)
    assert list(made) == ["input_ids", "attention_mask"]
    assert made["attention_mask"].sum(1).tolist() == [7, 10, 10]
    assert {value.shape for value in made.values()} == {(3, 10)}


@pytest.mark.parametrize(("rows", "tokens"), [(1, 1), (1, 16), (2, 4), (4, 1), (8, 64)])
def test_a_program_takes_every_call_up_to_its_bounds(rows: int, tokens: int) -> None:
    model = graphs.model()
    args, sizes = bounded(model, rows, tokens)
    program = torch.export.export(Logits(model), args, dynamic_shapes=sizes, strict=False).module()
    for length in {1, tokens}:
        batch = graphs.feeds(rows=rows, length=length)
        answers = program(*map(torch.from_numpy, batch.values())).numpy()
        numpy.testing.assert_allclose(answers, graphs.expected(model, batch), atol=2e-6)
