"""Outputs of layers."""

from torch import Tensor

from compress.losses import loss
from compress.losses._masked import check_shapes, mean_square


@loss(reads="hidden_states")
def hidden_state(student: Tensor, teacher: Tensor, *, mask: Tensor) -> Tensor:
    """How far a student layer's output lies from its teacher layer's: the mean squared difference over real tokens.

    Shapes: student (n, tokens, hidden), teacher (n, tokens, hidden), mask (n, tokens), 0 = padding -> ()
    Units:  hidden values**2
    Zero:   when student == teacher at every real token
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 3.1
    Raises: ShapeMismatch if the shapes differ (narrower students are projected before)
    """
    check_shapes("hidden_state", student, teacher, mask)
    return mean_square(student, teacher, mask.bool()[:, :, None])
