"""Relations between rows."""

import torch
from torch import Tensor
from torch.nn import functional

from compress.errors import ShapeMismatch
from compress.losses import loss

ANGLES = 2.0
"""Weight of the angles beside the distances, as published."""


@loss(reads="sentence")
def rkd(student: Tensor, teacher: Tensor) -> Tensor:
    """How differently the rows of a batch lie among each other: in distances between two, in angles between three.

    Distances are divided by their mean over the batch; angles are cosines. Both are compared by the Huber loss and
    averaged over all pairs and triples; the angles weigh twice. The two models' widths may differ. A batch of one row
    has no relations.

    Shapes: student (n, width), teacher (n, its own width) -> ()
    Units:  none
    Zero:   when the student's rows are the teacher's, moved, turned, mirrored or scaled as a whole
    Source: Park et al. 2019, arXiv:1904.05068, sections 3.2 and 4.1 (weights 1:2)
    Raises: ShapeMismatch if the numbers of rows differ
    """
    if student.dim() != 2 or student.shape[:1] != teacher.shape[:1] or teacher.dim() != 2:
        raise ShapeMismatch("rkd", student.shape, teacher.shape)
    distances, angles = zip(_relations(student), _relations(teacher), strict=True)
    return (functional.huber_loss(*distances) + ANGLES * functional.huber_loss(*angles)).float()


def _relations(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Shapes: rows (n, width) -> distances (n, n), cosines (n, n, n) of the angles at the first of three rows."""
    exact = rows.double()  # differences of products follow
    centred = exact - exact.mean(0)
    products = centred @ centred.T
    own = products.diagonal()
    squares = own[:, None] + own - 2 * products
    # Rows that coincide have no direction: a root or a quotient of nearly zero would have a gradient without bounds.
    apart = squares > 1e-12 * squares.detach().max().clamp(min=1e-12)
    inverse = torch.where(apart, squares, 1.0).rsqrt() * apart
    distances = squares * inverse
    mean = distances.sum() / apart.sum().clamp(min=1)
    between = products - products[:, :, None] - products[:, None, :] + own[:, None, None]
    return distances / mean.clamp(min=1e-6), between * inverse[:, :, None] * inverse[:, None, :]
