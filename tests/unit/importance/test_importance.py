"""Scores against slow computations that share nothing with the fast ones."""

import pytest
import torch

from compress.importance.fisher import fisher
from compress.importance.obs import DAMPING, obs
from compress.importance.wanda_structured import wanda_structured


def problem(units: int, size: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs (rows, units * size) that depend on each other, output columns, and the moments."""
    drawn = torch.Generator().manual_seed(seed)
    mixed = torch.randn(units * size, units * size, generator=drawn, dtype=torch.float64)
    inputs = torch.randn(200, units * size, generator=drawn, dtype=torch.float64) @ mixed
    columns = torch.randn(units, size, 4, generator=drawn, dtype=torch.float64)
    return inputs, columns, inputs.T @ inputs / 200


def least(inputs: torch.Tensor, weights: torch.Tensor, kept: list[int], damping: float) -> float:
    """The least damped squared error of the output when only some inputs are left, by least squares."""
    rows = inputs.shape[1]
    wide = torch.cat([inputs / 200**0.5, damping**0.5 * torch.eye(rows, dtype=torch.float64)])
    goal = wide @ weights
    if not kept:
        return float(goal.square().sum())
    solved = torch.linalg.lstsq(wide[:, kept], goal).solution
    return float((goal - wide[:, kept] @ solved).square().sum())


@pytest.mark.parametrize("size", [1, 3])
def test_obs_adds_up_to_the_error_of_the_best_refit(size: int) -> None:
    inputs, columns, moments = problem(5, size)
    scores = obs(columns, moments).double()
    weights = columns.reshape(5 * size, -1)
    damping = DAMPING * float(moments.diagonal().mean())
    order = scores.argsort().tolist()
    for gone in range(1, 6):
        kept = [unit * size + column for unit in sorted(order[gone:]) for column in range(size)]
        expected = least(inputs, weights, kept, damping)
        assert float(scores[order[:gone]].sum()) == pytest.approx(expected, rel=1e-5)
        # and no other unit would have been cheaper to remove at this turn
        others = [
            least(inputs, weights, [u * size + c for u in order[gone - 1 :] if u != unit for c in range(size)], damping)
            for unit in order[gone - 1 :]
        ]
        assert expected == pytest.approx(min(others), rel=1e-6)


def test_obs_sees_that_a_copied_input_is_needed_once() -> None:
    _, columns, _ = problem(4, 1)
    inputs = torch.randn(200, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inputs[:, 1] = inputs[:, 0]
    columns[1] = columns[0]
    scores = obs(columns, inputs.T @ inputs / 200)
    alone = obs(columns[1:], inputs[:, 1:].T @ inputs[:, 1:] / 200)
    assert scores[:2].min() < 0.05 * alone[0]
    assert scores[:2].max() > alone[0]


def test_wanda_structured_is_the_mean_square_of_the_shares() -> None:
    inputs, columns, moments = problem(3, 1)
    shares = inputs.unsqueeze(2) * columns.squeeze(1)  # (rows, units, out)
    torch.testing.assert_close(
        wanda_structured(columns, moments), shares.square().sum(2).mean(0).float(), rtol=1e-4, atol=1e-6
    )


def test_fisher_is_half_the_mean_square() -> None:
    assert fisher(torch.tensor([[1.0, -2.0], [3.0, 0.0]])).tolist() == [2.5, 1.0]
