import torch
from torch import nn
from torch.testing import assert_close

from compress.encoders.narrowing import _cut_scores, _cut_values, correct, fit_norm, principal


def test_principal_directions_are_orthonormal_strongest_first_and_of_fixed_sign() -> None:
    moments = torch.diag(torch.tensor([1.0, 9.0, 4.0]))
    assert_close(principal(moments, 2), torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))


def test_a_head_that_needs_no_more_dimensions_than_are_left_scores_and_answers_the_same() -> None:
    torch.manual_seed(0)
    states = torch.randn(200, 12) + 1
    inner = torch.randn(2, 8, 3)
    query, key = ((inner[0] @ torch.randn(3, 12), inner[0] @ torch.randn(3)), (torch.randn(8, 12), torch.randn(8)))
    asked, offered = _cut_scores(query, key, states, 4)
    scores = [(states @ q.T + qb) @ (states @ k.T + kb).T for (q, qb), (k, kb) in ((query, key), (asked, offered))]
    assert_close(*(score.softmax(-1) for score in scores), atol=1e-4, rtol=1e-3)
    value, back = (torch.randn(8, 12), torch.randn(8)), torch.randn(5, 3) @ torch.randn(3, 8)
    (weight, bias), columns, shift = _cut_values(value, back, states, 4)
    assert_close(
        (states @ weight.T + bias) @ columns.T + shift, (states @ value[0].T + value[1]) @ back.T, atol=1e-3, rtol=1e-3
    )


def test_queries_and_keys_of_distances_are_kept_as_those_of_tokens() -> None:
    torch.manual_seed(0)
    states, distances = torch.randn(200, 12) + 1, torch.randn(30, 12)
    inner = torch.randn(2, 8, 3)
    query, key = ((part @ torch.randn(3, 12), part @ torch.randn(3)) for part in inner)
    asked, offered = _cut_scores(query, key, states, 4, distances)
    both = torch.cat((states, distances))
    scores = [(both @ q.T + qb) @ (both @ k.T + kb).T for (q, qb), (k, kb) in ((query, key), (asked, offered))]
    assert_close(scores[1], scores[0], atol=1e-2, rtol=1e-3)


def test_a_corrected_linear_comes_nearer_to_its_goal_and_a_perfect_one_stays() -> None:
    torch.manual_seed(0)
    linear, inputs = nn.Linear(6, 4).requires_grad_(False), torch.randn(500, 6) + 2
    weight = linear.weight.clone()
    goal = linear(inputs)
    correct(linear, inputs, goal)
    assert_close(linear.weight, weight)
    goal = goal + inputs @ torch.randn(6, 4) + 3
    before = (linear(inputs) - goal).pow(2).mean()
    correct(linear, inputs, goal)
    assert (linear(inputs) - goal).pow(2).mean() < 0.05 * before


def test_a_norm_is_fitted_exactly_to_what_a_norm_can_give() -> None:
    torch.manual_seed(0)
    inputs, true = torch.randn(50, 6) * 3 + 1, nn.LayerNorm(6).requires_grad_(False)
    true.weight.uniform_(-1, 2)
    true.bias.uniform_(-1, 1)
    fitted = nn.LayerNorm(6).requires_grad_(False)
    fit_norm(fitted, inputs, true(inputs))
    assert_close(fitted.weight, true.weight, atol=1e-5, rtol=1e-5)
    assert_close(fitted.bias, true.bias, atol=1e-5, rtol=1e-5)


def test_inputs_that_never_differ_move_the_bias_alone() -> None:
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        linear, inputs = nn.Linear(8, 4), 30 * torch.randn(1, 8, generator=generator).expand(6, 8)
        goal = torch.randn(1, 4, generator=generator).expand(6, 4)
        before = linear.weight.detach().clone()
        with torch.no_grad():
            correct(linear, inputs, goal)
            assert_close(linear(inputs), goal, rtol=0, atol=1e-4)
        assert_close(linear.weight.detach(), before, rtol=0, atol=1e-4)
