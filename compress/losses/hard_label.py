"""The labels of the data."""

from torch import Tensor
from torch.nn import functional

from compress.errors import ShapeMismatch
from compress.losses import UNLABELLED, loss


@loss(reads="labels")
def hard_label(student: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """How improbable the student finds the right labels: the mean cross-entropy over the rows that have a label.

    `label_smoothing` is the share of the target probability that is spread over all labels.

    Shapes: student (n, classes), labels (n,) of class numbers, UNLABELLED (-100) for none -> ()
    Units:  nats a row
    Zero:   approached when the right class's logit lies far above all others; 0 if no row has a label
    Source: Devlin et al. 2019, arXiv:1810.04805, section 4.1
    Raises: ShapeMismatch if there is not one label a row
    """
    if student.shape[:-1] != labels.shape:
        raise ShapeMismatch("hard_label, labels in the teacher's place", student.shape, labels.shape)
    total = functional.cross_entropy(
        student.float(), labels, label_smoothing=label_smoothing, ignore_index=UNLABELLED, reduction="sum"
    )
    return total / (labels != UNLABELLED).sum().clamp(min=1)
