import torch
from torch import nn
from torch.nn.functional import layer_norm
from torch.testing import assert_close

from compress.encoders.folding import folded, goal, level


def in_few_dimensions() -> tuple[torch.Tensor, torch.Tensor]:
    """States (tokens, 12) that lie in 5 dimensions, and the columns (12, 5) that are found for them."""
    torch.manual_seed(0)
    states = torch.randn(200, 4) @ torch.randn(4, 12) + torch.randn(200, 1)
    centred = states - states.mean(1, keepdim=True)
    return states, level((centred.T @ centred).double(), 5)


def test_level_columns_are_orthonormal_and_a_norm_takes_the_same_away_before_and_behind_them() -> None:
    states, basis = in_few_dimensions()
    assert_close(basis.T @ basis, torch.eye(5))
    assert_close(basis.sum(1), torch.full((12,), (5 / 12) ** 0.5))
    wide, narrow = layer_norm(states, (12,)) @ basis, layer_norm(states @ basis, (5,))
    assert_close(wide, narrow * (12 / 5) ** 0.5, atol=1e-4, rtol=1e-4)
    assert_close(level(torch.eye(12), 1), torch.full((12, 1), 12**-0.5))


def test_what_reads_a_folded_norm_reads_the_same() -> None:
    states, basis = in_few_dimensions()
    norm, weights = nn.LayerNorm(12).requires_grad_(False), torch.randn(3, 12)
    norm.weight.uniform_(-1, 2)
    norm.bias.uniform_(-1, 1)
    wanted = goal(norm, (states, norm(states)), basis, [weights[:2], weights[2:]])
    assert_close(wanted @ (weights @ folded(norm, basis)).T, norm(states) @ weights.T, atol=1e-4, rtol=1e-4)


def test_where_nothing_becomes_narrower_the_norm_stays() -> None:
    states, norm = torch.randn(20, 12), nn.LayerNorm(12).requires_grad_(False)
    norm.weight.uniform_(-1, 2)
    assert_close(folded(norm, torch.eye(12)), torch.eye(12))
    assert_close(goal(norm, (states, norm(states)), torch.eye(12), []), norm(states))
