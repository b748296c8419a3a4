"""One option of each group, so that the costs fit a budget and as little as possible is lost."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError

STEPS = 20_000
"""Into so many steps a budget is divided."""

Options = tuple[NDArray[np.float64], NDArray[np.float64]]
"""What each option of a group loses, and what it costs: (options,) each."""


def cheapest(groups: Sequence[Options], budget: float) -> list[int]:
    """The option to take of each group: dynamic programming over the groups, the spent budget being the state.

    Costs above each group's cheapest option are counted in steps, rounded up; a step is 1/20,000 of what the budget
    leaves above the cheapest options of all. For costs so counted the answer is the best one there is. It never costs
    more than the budget, and nothing loses less that costs less than the budget by a step a group. Where choices lose
    the same, the one that costs the most is taken; then the first option.

    Source: the multiple-choice knapsack problem, Kellerer, Pferschy and Pisinger 2004, section 11.5; for layers of a
    network Frantar and Alistarh 2022, arXiv:2201.13096, section 3.2
    Raises: CompressError if even the cheapest options cost more than the budget
    """
    least = [float(cost.min()) for _, cost in groups]
    room, slack = budget - sum(least), 1e-9 * max(1.0, abs(budget))
    if room < -slack:
        raise CompressError(f"the cheapest choice costs {sum(least):g}, more than {budget:g}.")
    step = max(room, slack) / STEPS
    # By the steps that are spent: the least loss, and what that choice really costs. Rounding up spends a step a group
    # too many at most, so the states go on beyond the budget, for choices that spend it to the last.
    states = STEPS + len(groups) + 1
    lost, cost = np.full(states, np.inf), np.zeros(states)
    lost[0] = 0.0
    taken = []
    for (losses, costs), low in zip(groups, least, strict=True):
        spent = np.ceil(np.minimum((costs - low) / step, states) - 1e-6).astype(int)
        lost, cost, option = _with(lost, cost, losses, costs - low, spent)
        taken.append((option, spent))
    at = states - 1 - int(np.argmin(np.where(cost <= room + slack, lost, np.inf)[::-1]))
    chosen = []
    for option, spent in reversed(taken):
        chosen.append(int(option[at]))
        at -= int(spent[chosen[-1]])
    return chosen[::-1]


def _with(
    lost: NDArray[np.float64],
    cost: NDArray[np.float64],
    losses: NDArray[np.float64],
    costs: NDArray[np.float64],
    spent: NDArray[np.int_],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int_]]:
    """The least losses with one more group, what they cost, and the option of it that each takes."""
    states = len(lost)
    least, paid, option = np.full(states, np.inf), np.zeros(states), np.zeros(states, dtype=int)
    for number, (loss, price, steps) in enumerate(zip(losses, costs, spent, strict=True)):
        if steps < states:
            way = lost[: states - steps] + loss
            better = way < least[steps:]
            least[steps:][better] = way[better]
            paid[steps:][better] = cost[: states - steps][better] + price
            option[steps:][better] = number
    return least, paid, option
