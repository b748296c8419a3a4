import math

import pytest
import torch

from compress.losses.attention import attention
from compress.losses.cosine import cosine
from compress.losses.hard_label import hard_label
from compress.losses.hidden_state import hidden_state
from compress.losses.logit_mse import logit_mse
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
