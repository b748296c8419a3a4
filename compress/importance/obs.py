"""Second-order effect on the block's output, when all other units make up for the loss."""

import torch
from torch import Tensor

from compress.importance import importance
from compress.importance._columns import check

DAMPING = 0.01
"""What is added to the moments' diagonal, in means of that diagonal."""


@importance(reads="moments")
def obs(columns: Tensor, moments: Tensor) -> Tensor:
    """The squared error of the block's output that a unit's removal adds when it is its turn.

    Units go one after the other, each time the one whose removal costs least once the weights of all others are set
    anew for it. Those updates are made here for the scores; after the cut `prune.refit` finds the weights that they
    lead to, and more, in one go. A score is not below that of a unit that went before, so that their order is the order
    in which they go.

    Shapes: columns (units, size, out), moments (units * size, units * size) -> (units,)
    Units:  the block's output, squared
    Zero:   for a unit whose output weights are all 0, or (to damping) whose inputs are
    Source: Kurtic et al. 2023 (ZipLM), arXiv:2302.04089, section 3.1, equations 2 to 4 and algorithm 1
    Raises: CompressError if the shapes do not fit together
    """
    check("obs", columns, moments)
    units, size, outputs = columns.shape
    scores = torch.zeros(units)
    weights = columns.detach().reshape(units * size, outputs).double().clone()
    damped = moments.detach().double().clone()
    damped.diagonal().add_(DAMPING * damped.diagonal().mean().clamp(min=1e-30) if units else 0)
    inverse = torch.linalg.inv(damped)
    left, highest = torch.ones(units, dtype=torch.bool), 0.0
    for _ in range(units):
        costs = _costs(weights, inverse, size).masked_fill(~left, torch.inf)
        unit = int(costs.argmin())
        highest = max(highest, float(costs[unit]))
        scores[unit], left[unit] = highest, False
        _remove(weights, inverse, slice(unit * size, (unit + 1) * size))
    return scores


def _costs(weights: Tensor, inverse: Tensor, size: int) -> Tensor:
    """(units,) the error that each unit's removal makes now."""
    if size == 1:
        return weights.square().sum(dim=1) / inverse.diagonal()
    units = len(weights) // size
    places = torch.arange(len(weights)).view(units, size)
    blocks = inverse[places.unsqueeze(2), places.unsqueeze(1)]
    rows = weights.view(units, size, -1)
    errors: Tensor = (rows * torch.linalg.solve(blocks, rows)).sum(dim=(1, 2))
    return errors


def _remove(weights: Tensor, inverse: Tensor, gone: slice) -> None:
    """Set a unit's weights to 0, the others' for the least error, and take its inputs out of the inverse; in place."""
    ahead = torch.linalg.solve(inverse[gone, gone], inverse[gone].clone())
    weights.addmm_(ahead.T, weights[gone].clone(), alpha=-1)
    inverse.addmm_(inverse[:, gone].clone(), ahead, alpha=-1)
    weights[gone] = 0
    inverse[gone], inverse[:, gone] = 0, 0
    inverse.diagonal()[gone] = 1
