"""Directions of layers' outputs."""

import torch
from torch import Tensor
from torch.nn import functional

from compress.losses import loss
from compress.losses._masked import check_shapes


@loss(reads="hidden_states")
def cosine(student: Tensor, teacher: Tensor, *, mask: Tensor) -> Tensor:
    """How far a student layer's output points away from its teacher layer's: 1 - cosine, the mean over real tokens.

    Shapes: student (n, tokens, hidden), teacher (n, tokens, hidden), mask (n, tokens), 0 = padding -> ()
    Units:  none, from 0 (same direction) to 2 (opposite)
    Zero:   when student == teacher, up to a positive factor, at every real token
    Source: Sanh et al. 2019 (DistilBERT), arXiv:1910.01108, section 2
    Raises: ShapeMismatch if the shapes differ (narrower students are projected before)
    """
    check_shapes("cosine", student, teacher, mask)
    keep = mask.bool()[:, :, None]
    # Padding becomes the vector of ones on both sides: cosine 1, gradient 0, whatever stood there.
    one, other = (torch.where(keep, states.float(), 1.0) for states in (student, teacher))
    distance = 1 - functional.cosine_similarity(one, other, dim=-1)
    return torch.where(mask.bool(), distance, 0.0).sum() / mask.bool().sum().clamp(min=1)
