"""Directions of [CLS]."""

import torch
from torch import Tensor
from torch.nn import functional

from compress.losses import loss
from compress.losses._masked import check_shapes


@loss(reads="hidden_states")
def pkd(student: Tensor, teacher: Tensor, *, mask: Tensor) -> Tensor:
    """How far a student layer's state of the first token ([CLS]), scaled to length 1, lies from its teacher layer's.

    The mean over rows of the squared distance. Published with the students' layers but the last: an explicit
    `layer_mapping` that ends in `null`.

    Shapes: student (n, tokens, hidden), teacher (n, tokens, hidden), mask (n, tokens), 0 = padding -> ()
    Units:  none, from 0 (same direction) to 4 (opposite)
    Zero:   when student == teacher, up to a positive factor, at the first token of every row
    Source: Sun et al. 2019 (patient knowledge distillation), arXiv:1908.09355, section 3.2
    Raises: ShapeMismatch if the shapes differ (narrower students are projected before)
    """
    check_shapes("pkd", student, teacher, mask)
    real = mask.bool()[:, 0]
    one, other = (torch.where(real[:, None], states[:, 0].float(), 1.0) for states in (student, teacher))
    # |a - b|**2 = 2 - 2 cos for a and b of length 1; this form has a gradient at zero vectors too.
    distance = 2 - 2 * functional.cosine_similarity(one, other, dim=-1)
    return torch.where(real, distance, 0.0).sum() / real.sum().clamp(min=1)
