"""What enters the first layer."""

from torch import Tensor

from compress.losses import loss
from compress.losses._masked import check_shapes, mean_square


@loss(reads="embeddings")
def embedding(student: Tensor, teacher: Tensor, *, mask: Tensor) -> Tensor:
    """How far the student's embeddings lie from the teacher's: the mean squared difference over real tokens.

    Shapes: student (n, tokens, hidden), teacher (n, tokens, hidden), mask (n, tokens), 0 = padding -> ()
    Units:  embedding values**2
    Zero:   when student == teacher at every real token
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 3.1
    Raises: ShapeMismatch if the shapes differ (narrower students are projected before)
    """
    check_shapes("embedding", student, teacher, mask)
    return mean_square(student, teacher, mask.bool()[:, :, None])
