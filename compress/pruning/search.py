"""From scores to the units that stay. Pure: no model, nothing random."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from compress.errors import CompressError, InputError
from compress.pruning.shares import missed


class Choice(NamedTuple):
    """The units that stay: one BoolTensor a layer, True = kept."""

    heads: tuple[Tensor, ...]
    """(heads of the layer,) each."""
    neurons: tuple[Tensor, ...]
    """(neurons of the layer,) each."""


def choose(
    head_scores: Sequence[Tensor], neuron_scores: Sequence[Tensor], *, heads: float, neurons: float, multiple: int
) -> Choice:
    """The units to keep when the lowest-scored `heads` and `neurons` shares of all layers together are removed.

    Scores are divided by their layer's L2 norm, so that layers compare (Molchanov et al. 2017, arXiv:1611.06440,
    section 2.2); heads and neurons are ranked apart. Among equal scores the earlier layer, then the lower unit goes
    first. Each layer keeps at least 1 head and `multiple` neurons (or all, if it has fewer). A layer that is cut keeps a
    multiple of `multiple` neurons, the nearest one; then single layers move by one step, where that costs the least
    score, until the total comes as close to the asked share as such steps can bring it. If that misses the share, the
    widths are those whose total is the nearest there is.

    Shapes: one (units,) tensor a layer each -> one bool (units,) tensor a layer each
    Units:  `heads` and `neurons` are shares removed, from 0 to below 1; `multiple` is a number of neurons
    Raises: InputError if a share or `multiple` is out of range; CompressError if a score is negative or not finite
    """
    for name, share in (("heads", heads), ("neurons", neurons)):
        if not 0 <= share < 1:
            raise InputError(f"prune.{name}: {share} is not a share to remove. Give one from 0 to below 1.")
    if multiple < 1:
        raise InputError(f"prune.multiple: {multiple} is below 1.")
    return Choice(_kept("head", head_scores, heads, 1), _kept("neuron", neuron_scores, neurons, multiple))


def _kept(kind: str, scores: Sequence[Tensor], share: float, multiple: int) -> tuple[Tensor, ...]:
    layers = [_normal(kind, number, layer) for number, layer in enumerate(scores)]
    widths = [len(layer) for layer in layers]
    # Within a layer units always go in this order, so a layer's mask follows from how many it keeps.
    orders = [torch.argsort(layer, stable=True) for layer in layers]
    removed = int(share * sum(widths) + 0.5)
    if removed == 0:
        return tuple(torch.ones(width, dtype=torch.bool) for width in widths)
    kept = _ranked(layers, orders, removed, multiple)
    if multiple > 1:
        kept = [_nearest(count, width, multiple) for count, width in zip(kept, widths, strict=True)]
        ascending = [layer[order] for layer, order in zip(layers, orders, strict=True)]
        kept = _adjusted(kept, ascending, sum(widths) - removed, multiple)
        floored = all(count <= multiple for count in kept)
        if not floored and missed(share, 1 - sum(kept) / sum(widths), sum(widths)):
            kept = _closest(ascending, (1 - share) * sum(widths), multiple)
    masks = []
    for order, width, count in zip(orders, widths, kept, strict=True):
        mask = torch.ones(width, dtype=torch.bool)
        mask[order[: width - count]] = False
        masks.append(mask)
    return tuple(masks)


def _normal(kind: str, number: int, scores: Tensor) -> Tensor:
    """A layer's scores over their L2 norm, in float64 so that rounding makes no ties."""
    wide = scores.detach().cpu().double()
    if not torch.isfinite(wide).all() or (wide < 0).any():
        raise CompressError(f"layer {number}: a {kind} score is negative or not finite.")
    largest = wide.max() if len(wide) else wide.new_zeros(())
    if largest == 0:
        return wide
    wide = wide / largest  # squares of tiny scores would vanish
    return wide / wide.square().sum().sqrt()


def _ranked(layers: Sequence[Tensor], orders: Sequence[Tensor], removed: int, floor: int) -> list[int]:
    """How many units each layer keeps when the lowest `removed` of all go; the best `floor` of a layer always stay."""
    widths = [len(layer) for layer in layers]
    open_scores, open_layers = [], []
    for number, (layer, order) in enumerate(zip(layers, orders, strict=True)):
        candidates = order[: max(len(layer) - floor, 0)]
        open_scores.append(layer[candidates])
        open_layers.append(torch.full((len(candidates),), number))
    going = torch.argsort(torch.cat(open_scores), stable=True)[:removed]
    lost = torch.bincount(torch.cat(open_layers)[going], minlength=len(layers))
    return [width - int(count) for width, count in zip(widths, lost, strict=True)]


def _nearest(count: int, width: int, multiple: int) -> int:
    """The width nearest to `count` that a layer may have: a multiple, from 1 on, or its full width."""
    low = max(count // multiple, 1) * multiple
    high = min(low + multiple, width)
    if low >= width:
        return width
    return high if 2 * count >= low + high else low


def _adjusted(kept: Sequence[int], ascending: Sequence[Tensor], target: int, multiple: int) -> list[int]:
    """Move layers by single steps towards `target` units in all, each time where it costs least or wins most score."""
    result = list(kept)
    sums = [torch.cat([layer.new_zeros(1), layer.cumsum(0)]) for layer in ascending]
    while True:
        over = sum(result) - target
        steps = []
        for number, (count, total) in enumerate(zip(result, sums, strict=True)):
            width = len(total) - 1
            if over > 0:
                low = (count - 1) // multiple * multiple
                after = low if low > 0 else count
            else:
                after = min((count // multiple + 1) * multiple, width)
            if abs(over + after - count) < abs(over):
                change = total[width - after] - total[width - count]
                steps.append((float(change) / abs(after - count), number, after))
        if not steps:
            return result
        _, number, after = min(steps)
        result[number] = after


def _closest(ascending: Sequence[Tensor], target: float, multiple: int) -> list[int]:
    """The widths whose total is the nearest to `target` units; of those, the ones that lose the least score."""
    ways: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for layer in ascending:
        width, sums = len(layer), [0.0, *layer.cumsum(0).tolist()]
        longer: dict[int, tuple[float, tuple[int, ...]]] = {}
        for total, (lost, kept) in ways.items():
            for count in (*range(multiple, width, multiple), width):
                way = (lost + sums[width - count], (*kept, count))
                longer[total + count] = min(longer.get(total + count, way), way)
        ways = longer
    return list(ways[min(ways, key=lambda total: (abs(total - target), ways[total]))][1])
