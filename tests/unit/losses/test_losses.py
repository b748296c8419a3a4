import math

import pytest
import torch

from compress.losses.attention import attention
from compress.losses.cosine import cosine
from compress.losses.hard_label import hard_label
from compress.losses.hidden_state import hidden_state
from compress.losses.logit_mse import logit_mse
from compress.losses.minilm_relation import minilm_relation, split_heads
from compress.losses.pkd import pkd
from compress.losses.rkd import rkd
from compress.losses.soft_label import soft_label

STUDENT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
TEACHER = torch.tensor([[0.2, 0.1, 2.0], [-1.0, 1.0, 0.0]])


def softmax(row, temperature):
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_soft_label_is_the_divergence_from_teacher_to_student_times_the_square(temperature):
    total = 0.0
    for student, teacher in zip(STUDENT.tolist(), TEACHER.tolist(), strict=True):
        p, q = softmax(teacher, temperature), softmax(student, temperature)
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert soft_label(STUDENT, TEACHER, temperature=temperature).item() == pytest.approx(
        total / 2 * temperature**2, rel=1e-5
    )


def test_soft_label_does_not_see_a_constant():
    assert soft_label(TEACHER + 5, TEACHER, temperature=2.0).item() == pytest.approx(0, abs=1e-6)


def test_logit_mse_is_a_mean_over_all_logits():
    assert logit_mse(STUDENT, TEACHER).item() == pytest.approx(
        sum((a - b) ** 2 for a, b in zip(STUDENT.flatten().tolist(), TEACHER.flatten().tolist(), strict=True)) / 6
    )


def test_hard_label_is_the_cross_entropy():
    expected = -(math.log(softmax([1.0, -2.0, 0.5], 1)[2]) + math.log(softmax([0.0, 3.0, 1.0], 1)[1])) / 2
    assert hard_label(STUDENT, torch.tensor([2, 1])).item() == pytest.approx(expected, rel=1e-5)


def test_hidden_state_is_a_mean_over_real_tokens_only():
    teacher = torch.zeros(2, 2, 4)
    student = torch.tensor([[[1.0] * 4, [3.0] * 4], [[2.0] * 4, [9.0] * 4]])
    assert hidden_state(student, teacher, mask=torch.tensor([[1, 1], [1, 0]])).item() == pytest.approx((1 + 9 + 4) / 3)


def test_attention_counts_pairs_of_real_tokens():
    student = torch.full((1, 2, 3, 3), 100.0)
    student[:, 0, :2, :2] = 1.0
    student[:, 1, :2, :2] = 3.0
    assert attention(student, torch.zeros_like(student), mask=torch.tensor([[1, 1, 0]])).item() == pytest.approx(5)


def test_cosine_is_two_for_opposite_directions_and_zero_for_a_stretched_one():
    teacher = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    mask = torch.ones(1, 2)
    assert cosine(-2 * teacher, teacher, mask=mask).item() == pytest.approx(2)
    assert cosine(3 * teacher, teacher, mask=mask).item() == pytest.approx(0, abs=1e-6)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_minilm_relation_is_the_divergence_of_each_tokens_relations():
    """One relation head; the last of three tokens of the second row is padding."""
    student, teacher = random(3, 2, 2, 3, 4), random(3, 2, 1, 3, 4, seed=1)  # widths 8 and 4
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    total = 0.0
    for kind in range(3):
        for row, count in ((0, 3), (1, 2)):
            own = student[kind, row].transpose(0, 1).reshape(3, 8)[:count]
            other = teacher[kind, row].transpose(0, 1).reshape(3, 4)[:count]
            for token in range(count):
                p = softmax((other @ other[token]).tolist(), 4**0.5)
                q = softmax((own @ own[token]).tolist(), 8**0.5)
                total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 5
    found = minilm_relation(tuple(student), tuple(teacher), mask=mask, relation_heads=1)
    assert found.item() == pytest.approx(total, rel=1e-4)


def test_relation_heads_divide_both_widths():
    assert split_heads(384, 768, None) == 12
    assert split_heads(128, 768, None) == 8
    assert split_heads(312, 768, 64) == 24
    assert split_heads(384, 768, 48) == 48
    assert split_heads(7 * 32, 7 * 32, 12) == 8  # seven heads were kept


def test_relations_do_not_see_a_rotation_within_their_head():
    states = tuple(random(3, 1, 2, 5, 6))
    turned = tuple(kind @ torch.linalg.qr(random(6, 6, seed=2))[0] for kind in states)
    mask = torch.ones(1, 5)
    assert minilm_relation(turned, states, mask=mask, relation_heads=2).item() == pytest.approx(0, abs=1e-5)
    assert minilm_relation(turned, states, mask=mask, relation_heads=4).item() > 1e-2


def test_pkd_looks_at_the_first_token_alone():
    teacher = random(2, 3, 4)
    student = teacher.clone()
    student[:, 1:] += 5
    mask = torch.ones(2, 3)
    assert pkd(3 * student, teacher, mask=mask).item() == pytest.approx(0, abs=1e-6)
    student[0, 0] *= -1
    assert pkd(student, teacher, mask=mask).item() == pytest.approx((4 + 0) / 2)
    unit = [states[:, 0] / states[:, 0].norm(dim=-1, keepdim=True) for states in (random(2, 3, 4, seed=3), teacher)]
    expected = (unit[0] - unit[1]).square().sum(-1).mean()
    torch.testing.assert_close(pkd(random(2, 3, 4, seed=3), teacher, mask=mask), expected)


def test_rkd_is_distances_and_twice_the_angles():
    student, teacher = random(4, 5), random(4, 3, seed=1)

    def relations(rows):
        apart = torch.cdist(rows, rows)
        edges = rows[None] - rows[:, None]
        edges = edges / edges.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        return apart / apart[apart > 1e-3].mean(), edges @ edges.transpose(1, 2)

    huber = torch.nn.functional.huber_loss
    (near, angles), (far, corners) = relations(student), relations(teacher)
    torch.testing.assert_close(rkd(student, teacher), huber(near, far) + 2 * huber(angles, corners))


def test_rkd_does_not_see_where_a_batch_lies_nor_how_it_is_turned_or_scaled():
    rows = random(6, 4)
    moved = 3 * rows @ torch.linalg.qr(random(4, 4, seed=2))[0] + 7
    assert rkd(moved, rows).item() == pytest.approx(0, abs=1e-6)


def test_rkd_of_rows_that_coincide_has_a_small_gradient():
    student = random(4, 5)
    student[1] = student[0]
    student.requires_grad_()
    rkd(student, random(4, 5, seed=1)).backward()
    assert student.grad.abs().max() < 10
    assert rkd(random(1, 5), random(1, 5, seed=1)).item() == 0
