"""Attention scores."""

from torch import Tensor

from compress.losses import loss
from compress.losses._masked import check_shapes, mean_square


@loss(reads="attention_scores")
def attention(student: Tensor, teacher: Tensor, *, mask: Tensor) -> Tensor:
    """How far a student layer's attention scores, before the softmax, lie from its teacher layer's.

    The mean squared difference over all heads and all pairs of a real query and a real key.

    Shapes: student (n, heads, tokens, tokens), teacher the same, mask (n, tokens), 0 = padding -> ()
    Units:  scores**2
    Zero:   when student == teacher at every pair of real tokens
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 3.1
    Raises: ShapeMismatch if the shapes differ (both models need the same number of heads)
    """
    check_shapes("attention", student, teacher, mask)
    real = mask.bool()
    return mean_square(student, teacher, real[:, None, :, None] & real[:, None, None, :])
