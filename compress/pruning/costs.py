"""What a model costs by the heads and neurons its layers keep: found on a few uniform cuts, added up for all others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
"""A uniform cut: every layer keeps so many heads and so many neurons, or all it has if those are fewer."""


class Widths(NamedTuple):
    """The heads and the neurons of each layer module before the cut."""

    heads: tuple[int, ...]
    neurons: tuple[int, ...]


class Costs(NamedTuple):
    """Shares of one cost, that of the uncut model. A cut one's is `fixed` and what each layer's two widths cost."""

    fixed: float
    """Cost of everything else: embeddings, norms, pooler, classifier, and the least that every layer keeps."""
    heads: NDArray[np.float64]
    """(layers, most heads of a layer + 1): by the heads a layer keeps, above what the least number of them costs."""
    neurons: NDArray[np.float64]
    """(layers, most neurons of a layer + 1): the same of neurons."""

    def of(self, kept: Widths) -> float:
        """The share of its cost that a model cut to these widths has."""
        return self.fixed + _sum(self.heads, kept.heads) + _sum(self.neurons, kept.neurons)


def grid(whole: Widths, least: Point, step: Point, shares: Sequence[float]) -> list[Point]:
    """The uniform cuts a cost is measured on: the axes of heads and of neurons, and the corner, the smallest model.

    An axis is the least width, the least above none (`step`), the given shares of the largest width, and each width
    that a layer has.
    """
    heads, neurons = (
        _axis(widths, fewest, above, shares) for widths, fewest, above in zip(whole, least, step, strict=True)
    )
    points = [(count, neurons[-1]) for count in heads] + [(heads[-1], count) for count in neurons]
    return list(dict.fromkeys([*points, (heads[0], neurons[0])]))


def fit(points: Mapping[Point, float], whole: Widths, last: tuple[float, float] | None = None) -> Costs:
    """The costs that explain what was measured: `points` holds a `grid` with the shares of the uncut model's cost.

    Between the points of an axis the cost grows evenly; a larger width never costs less. What the two axes save
    together is scaled so that the corner, too, comes out as it was measured.

    `last` holds the shares of the uncut model's cost where only the last layer is cut to its least heads, and to its
    least neurons: runtimes may compute a single token of it. Without, all layers count alike.
    """
    full = (max(whole.heads), max(whole.neurons))
    least = (min(heads for heads, _ in points), min(neurons for _, neurons in points))
    heads = _layer({count: share for (count, other), share in points.items() if other == full[1]}, whole.heads)
    neurons = _layer({count: share for (other, count), share in points.items() if other == full[0]}, whole.neurons)
    if last is not None:
        heads = _weighed(heads, whole.heads, points[full] - last[0])
        neurons = _weighed(neurons, whole.neurons, points[full] - last[1])
    saved = _sum(heads, whole.heads) + _sum(neurons, whole.neurons)
    measured = points[full] - points[least]
    if saved > 0 and measured > 0:
        heads, neurons, saved = heads * measured / saved, neurons * measured / saved, measured
    return Costs(points[full] - saved, heads, neurons)


def _axis(widths: Sequence[int], least: int, step: int, shares: Sequence[float]) -> list[int]:
    most = max(widths)
    inner = {least, step, *widths, *(round(share * most) for share in shares)}
    return sorted({min(count, most) for count in inner if count >= least})


def _layer(shares: Mapping[int, float], widths: Sequence[int]) -> NDArray[np.float64]:
    """The cost of each layer by its width, above that of the least width, from the whole model's at the grid's widths."""
    counts = sorted(shares)
    rising = np.minimum.accumulate([shares[count] for count in reversed(counts)])[::-1]
    # From one width of the grid to the next only those layers grow that have the larger one.
    growing = [sum(width >= count for width in widths) for count in counts[1:]]
    steps = np.concatenate([[0.0], np.cumsum(np.diff(rising) / np.maximum(growing, 1))])
    one = np.asarray(np.interp(np.arange(max(widths) + 1), counts, steps), np.float64)
    return np.tile(one, (len(widths), 1))


def _weighed(costs: NDArray[np.float64], widths: Sequence[int], last: float) -> NDArray[np.float64]:
    """The costs so that the last layer saves `last` and the others the rest of what all of them save."""
    whole = _sum(costs, widths)
    own = float(costs[-1, widths[-1]])
    if len(widths) == 1 or not 0 < own < whole:
        return costs
    last = min(max(last, 0.0), whole)
    factors = np.full((len(widths), 1), (whole - last) / (whole - own))
    factors[-1] = last / own
    return np.asarray(costs * factors, np.float64)


def _sum(costs: NDArray[np.float64], widths: Sequence[int]) -> float:
    return float(costs[np.arange(len(widths)), list(widths)].sum())
