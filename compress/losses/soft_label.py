"""Softened answers."""

from torch import Tensor
from torch.nn import functional

from compress.errors import ShapeMismatch
from compress.losses import loss


@loss(reads="logits")
def soft_label(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """How far the student's softened answers lie from the teacher's: KL(teacher || student) * temperature**2.

    Shapes: student (n, classes), teacher (n, classes) -> ()
    Units:  nats a row, times temperature**2
    Zero:   when student == teacher, up to a constant in each row
    Source: Hinton et al. 2015, arXiv:1503.02531, section 2
    Raises: ShapeMismatch if the shapes differ
    """
    if student.shape != teacher.shape:
        raise ShapeMismatch("soft_label", student.shape, teacher.shape)
    answers = functional.log_softmax(student.float() / temperature, dim=-1)
    targets = functional.log_softmax(teacher.float() / temperature, dim=-1)
    return functional.kl_div(answers, targets, reduction="batchmean", log_target=True) * temperature**2
