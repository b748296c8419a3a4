"""Distance of logits."""

from torch import Tensor
from torch.nn import functional

from compress.errors import ShapeMismatch
from compress.losses import loss


@loss(reads="logits")
def logit_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """How far the student's logits lie from the teacher's: the mean squared difference.

    Shapes: student (n, classes), teacher (n, classes) -> ()
    Units:  logits**2
    Zero:   when student == teacher
    Source: Ba and Caruana 2014, arXiv:1312.6184, section 2.2
    Raises: ShapeMismatch if the shapes differ
    """
    if student.shape != teacher.shape:
        raise ShapeMismatch("logit_mse", student.shape, teacher.shape)
    return functional.mse_loss(student.float(), teacher.float())
