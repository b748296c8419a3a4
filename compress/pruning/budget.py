"""From scores to the units that stay within a budget. Pure: no model, nothing random."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress.errors import CompressError
from compress.pruning.costs import Costs, Point, Widths
from compress.pruning.knapsack import Options, cheapest
from compress.pruning.search import Choice


def within(
    heads: Sequence[Tensor],
    neurons: Sequence[Tensor],
    costs: Costs,
    budget: float,
    *,
    least: Point,
    multiple: int,
    comparable: bool,
) -> Choice:
    """The units to keep so that the model costs at most `budget` and the scores of what goes sum to as little as can be.

    A layer loses its lowest-scored heads and neurons first (among equals the lower number), so what it may keep are
    (heads, neurons) pairs, each with the sum of the scores it loses and a cost. Costs add up over layers, so one search
    over all layers and both kinds is exact: see `knapsack.cheapest`, also for its rounding. Scores of heads and neurons
    are set off against each other. If the importance score is not `comparable`, each kind's are divided by their sum
    over all layers first: all heads together then matter as much as all neurons together.

    Shapes: one (units,) tensor a layer each -> one bool (units,) tensor a layer each
    Units:  `budget` is a share of the uncut model's cost; `least` are the fewest heads and neurons a layer keeps;
            a layer that is cut keeps a multiple of `multiple` neurons
    Source: Kwon et al. 2022, arXiv:2204.09656, section 4.1 (diagonal Fisher scores under a FLOPs or latency budget);
            Kurtic et al. 2023, arXiv:2302.04089, section 3.2 (a latency table, dynamic programming)
    Raises: CompressError if a score is negative or not finite, or if the smallest model costs more than the budget
    """
    scores = (_scaled("head", heads, comparable), _scaled("neuron", neurons, comparable))
    orders = [[np.argsort(layer, kind="stable") for layer in kind] for kind in scores]
    allowed = [
        [_allowed(len(layer), fewest, step) for layer in kind]
        for kind, fewest, step in zip(scores, least, (1, multiple), strict=True)
    ]
    groups = [
        _options(layer[order], counts, own)
        for kind, order_kind, count_kind, cost in zip(
            scores, orders, allowed, (costs.heads, costs.neurons), strict=True
        )
        for layer, order, counts, own in zip(kind, order_kind, count_kind, cost, strict=True)
    ]
    chosen = iter(cheapest(groups, budget - costs.fixed))
    masks = [
        tuple(_mask(order, int(counts[next(chosen)])) for order, counts in zip(*pair, strict=True))
        for pair in zip(orders, allowed, strict=True)
    ]
    return Choice(*masks)


def widths(scores: Sequence[Sequence[Tensor]]) -> Widths:
    """The widths of the layers that the scores, or masks, of heads and of neurons are for."""
    return Widths(*(tuple(len(layer) for layer in kind) for kind in scores))


def _scaled(kind: str, layers: Sequence[Tensor], comparable: bool) -> list[NDArray[np.float64]]:
    wide = [layer.detach().cpu().double().numpy() for layer in layers]
    for number, layer in enumerate(wide):
        if not np.isfinite(layer).all() or (layer < 0).any():
            raise CompressError(f"layer {number}: a {kind} score is negative or not finite.")
    total = sum(float(layer.sum()) for layer in wide)
    return wide if comparable or total == 0 else [layer / total for layer in wide]


def _allowed(width: int, fewest: int, multiple: int) -> NDArray[np.int_]:
    """How many units a layer may keep, most first."""
    counts = {width, *range(min(fewest, width), width, multiple)}
    return np.array(sorted(counts, reverse=True))


def _options(ascending: NDArray[np.float64], counts: NDArray[np.int_], cost: NDArray[np.float64]) -> Options:
    lost = np.concatenate([[0.0], np.cumsum(ascending)])
    return lost[len(ascending) - counts], cost[counts]


def _mask(order: NDArray[np.int_], count: int) -> Tensor:
    mask = torch.ones(len(order), dtype=torch.bool)
    mask[torch.from_numpy(order[: len(order) - count].copy())] = False
    return mask
