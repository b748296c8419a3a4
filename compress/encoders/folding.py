"""Norms that stand before what reads them (ModernBERT), where the states they norm become narrower.

A norm scales each of its dimensions, and directions of the states that mix dimensions cannot be scaled so. What reads
the norm can: its weights are multiplied by the scales, and the student's norm gives the plain normed states in its own
directions (Ashkboos et al. 2024, SliceGPT, arXiv:2401.15024, section 3.1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.encoders.narrowing import principal


def level(moments: Tensor, count: int) -> Tensor:
    """Principal directions as columns (n, count) that keep means: the mean of a narrowed state is, by a factor, its own.

    So a norm takes away of it what it takes away of the state. One direction is that of the mean, and the columns are
    turned so that it is the diagonal of them all.

    Shapes: moments (n, n) of states without their mean
    """
    mean = torch.full((len(moments), 1), len(moments) ** -0.5, device=moments.device)
    if count == 1:
        return mean
    apart = moments - moments.trace() * (mean @ mean.T)
    frame = torch.cat((mean, principal(apart, count - 1)), dim=1)
    mirror = torch.full((count, 1), -(count**-0.5), device=moments.device)
    mirror[0] += 1
    return frame - frame @ mirror @ mirror.T * (2 / mirror.square().sum())


def folded(norm: nn.Module | None, basis: Tensor) -> Tensor:
    """What weights that read the norm are multiplied by, (teacher width, student width).

    The basis itself where there is no norm, and where the states keep their width: then the student's norm is the teacher's.
    """
    if not isinstance(norm, nn.LayerNorm) or basis.size(0) == basis.size(1):
        return basis
    return norm.weight[:, None] * basis


def goal(norm: nn.Module, seen: tuple[Tensor, Tensor], basis: Tensor, readers: Sequence[Tensor]) -> Tensor:
    """What the student's norm should put out, (tokens, student width), for weights that are `folded`.

    The teacher's shift, if it has one, becomes the one that gives its readers the nearest.

    Shapes: seen: in and out of the teacher's norm (tokens, teacher width); readers: weights (out, teacher width) of what
    reads it
    """
    if not isinstance(norm, nn.LayerNorm) or basis.size(0) == basis.size(1):
        return seen[1] @ basis
    plain = functional.layer_norm(seen[0], norm.normalized_shape, eps=norm.eps) @ basis
    shift: Tensor | None = norm.bias
    if shift is None:
        return plain
    weights = torch.cat([*readers])
    nearest: Tensor = torch.linalg.pinv(weights @ folded(norm, basis), rtol=1e-4) @ (weights @ shift)
    return plain + nearest
