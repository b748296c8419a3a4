"""Means over real positions, for the losses on inner states."""

import torch
from torch import Tensor

from compress.errors import ShapeMismatch


def check_shapes(what: str, student: Tensor, teacher: Tensor, mask: Tensor) -> None:
    """Raises: ShapeMismatch unless both models' states have one shape, whose first and next-to-last sizes are the mask's."""
    if student.shape != teacher.shape:
        raise ShapeMismatch(what, student.shape, teacher.shape)
    positions = (student.shape[0], student.shape[-2])
    if mask.shape != positions:
        raise ShapeMismatch(f"{what}, attention mask in the teacher's place", positions, mask.shape)


def mean_square(student: Tensor, teacher: Tensor, keep: Tensor) -> Tensor:
    """The mean of (student - teacher)**2 where `keep` (bool, broadcast to their shape) is true; 0 if that is nowhere."""
    # Zeroed before it is squared: the gradient at masked positions is 0 even where their values are not finite.
    difference = torch.where(keep, student.float() - teacher.float(), 0.0)
    count = keep.sum() * (difference.numel() // keep.numel())
    return difference.square().sum() / count.clamp(min=1)
