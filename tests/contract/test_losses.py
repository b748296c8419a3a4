"""Every loss keeps its word: zero where it says, positive elsewhere, gradients, padding, shapes, documentation."""

import inspect

import pytest
import torch

from compress.errors import ShapeMismatch
from compress.losses import UNLABELLED
from compress.registry import LOSSES

ROWS, TOKENS, WIDTH, HEADS = 3, 5, 8, 2
SHAPES = {
    "logits": (ROWS, 4),
    "labels": (ROWS, 4),
    "embeddings": (ROWS, TOKENS, WIDTH),
    "hidden_states": (ROWS, TOKENS, WIDTH),
    "attention_scores": (ROWS, HEADS, TOKENS, TOKENS),
    "relations": (3, ROWS, HEADS, TOKENS, WIDTH),
    "sentence": (ROWS, WIDTH),
}
"""Of `relations` the three tensors as one, which unpacks into them."""
MASK = (torch.arange(TOKENS) < torch.tensor([5, 3, 1])[:, None]).long()
MASKED = [name for name in LOSSES.names() if "mask" in inspect.signature(LOSSES.load(name)).parameters]


def states(reads, seed, dtype=torch.float32):
    return torch.randn(SHAPES[reads], generator=torch.Generator().manual_seed(seed)).to(dtype)


def settings(formula):
    given = {"temperature": 2.0, "mask": MASK}
    return {name: given[name] for name in inspect.signature(formula).parameters if name in given}


def target(formula, dtype=torch.float32):
    """What the student's tensor is compared with, other than the student's own."""
    return torch.tensor([0, 3, 1]) if formula.reads == "labels" else states(formula.reads, 1, dtype)


def padding(reads):
    """True where a masked position takes part."""
    real = MASK.bool()
    if reads == "relations":
        return ~real[None, :, None, :, None].expand(SHAPES[reads])
    if reads == "attention_scores":
        return ~(real[:, None, :, None] & real[:, None, None, :]).expand(SHAPES[reads])
    return ~real[:, :, None].expand(SHAPES[reads])


@pytest.mark.parametrize("name", LOSSES.names())
def test_zero_where_it_says(name):
    formula = LOSSES.load(name)
    if formula.reads == "labels":
        labels = target(formula)
        student, other = torch.nn.functional.one_hot(labels, 4) * 100.0, labels
    else:
        student = other = states(formula.reads, 0)
    value = formula(student, other, **settings(formula))
    assert value.shape == ()
    assert value.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES.names())
def test_positive_elsewhere(name):
    formula = LOSSES.load(name)
    for seed in range(5, 10):
        assert formula(states(formula.reads, seed), target(formula), **settings(formula)).item() > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", LOSSES.names())
def test_half_precision_gives_a_float32_loss_and_a_finite_gradient(name, dtype):
    formula = LOSSES.load(name)
    student = (100 * states(formula.reads, 0, dtype)).requires_grad_()
    value = formula(student, target(formula, dtype), **settings(formula))
    assert value.dtype == torch.float32
    assert value.isfinite()
    value.backward()
    assert student.grad.dtype == dtype
    assert student.grad.isfinite().all()
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES.names())
def test_gradient_is_finite_at_zero_vectors_and_at_agreement(name):
    formula = LOSSES.load(name)
    for start in (torch.zeros(SHAPES[formula.reads]), states(formula.reads, 1)):
        student = start.clone().requires_grad_()
        formula(student, target(formula), **settings(formula)).backward()
        assert student.grad.isfinite().all()


@pytest.mark.parametrize("filler", [1e30, float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("name", MASKED)
def test_padding_never_counts(name, filler):
    formula = LOSSES.load(name)
    plain, hidden = states(formula.reads, 0), padding(formula.reads)
    results = []
    for there in (plain, plain.masked_fill(hidden, filler)):
        student = there.clone().requires_grad_()
        other = target(formula).masked_fill(hidden, filler) if there is not plain else target(formula)
        value = formula(student, other, mask=MASK)
        value.backward()
        results.append((value.detach(), student.grad))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)
    assert (results[1][1][hidden] == 0).all()
    assert (results[1][1][~hidden] != 0).any()


@pytest.mark.parametrize("name", MASKED)
def test_rows_of_padding_alone_cost_nothing(name):
    formula = LOSSES.load(name)
    value = formula(states(formula.reads, 0), target(formula), mask=torch.zeros_like(MASK))
    assert value.item() == 0


@pytest.mark.parametrize("name", MASKED)
def test_a_boolean_mask_means_the_same(name):
    formula = LOSSES.load(name)
    pair = states(formula.reads, 0), target(formula)
    assert formula(*pair, mask=MASK).item() == formula(*pair, mask=MASK.bool()).item()


@pytest.mark.parametrize("name", LOSSES.names())
def test_other_shapes_are_refused(name):
    formula = LOSSES.load(name)
    other = target(formula)
    with pytest.raises(ShapeMismatch, match=name):
        formula(
            states(formula.reads, 0), other[:, :-1] if formula.reads == "relations" else other[:-1], **settings(formula)
        )
    if "mask" in settings(formula):
        with pytest.raises(ShapeMismatch, match=name):
            formula(states(formula.reads, 0), other, mask=MASK[:, :-1])


@pytest.mark.parametrize("name", LOSSES.names())
def test_docstring_says_everything(name):
    text = inspect.getdoc(LOSSES.load(name))
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in text
    assert "section" in text.split("Source:")[1]
    assert "arXiv:" in text or "doi:" in text


@pytest.mark.parametrize("name", [name for name in LOSSES.names() if LOSSES.load(name).reads == "labels"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_rows_without_a_label_never_count(name, smoothing):
    formula = LOSSES.load(name)
    options = {"label_smoothing": smoothing} if "label_smoothing" in inspect.signature(formula).parameters else {}
    student, labels = states("labels", 0).requires_grad_(), target(formula)
    whole = formula(student[1:], labels[1:], **options)
    labels[0] = UNLABELLED
    value = formula(student, labels, **options)
    value.backward()
    torch.testing.assert_close(value, whole)
    assert (student.grad[0] == 0).all()
    student.grad = None
    nothing = formula(student, torch.full_like(labels, UNLABELLED), **options)
    nothing.backward()
    assert nothing.item() == 0
    assert (student.grad == 0).all()
