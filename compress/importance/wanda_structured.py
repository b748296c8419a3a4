"""Size of weights times size of what they multiply."""

from torch import Tensor

from compress.importance import importance
from compress.importance._columns import check


@importance(reads="moments")
def wanda_structured(columns: Tensor, moments: Tensor) -> Tensor:
    """How large the unit's share of the block's output is: its output weights times the norms of their inputs, squared.

    Wanda scores a weight by |w| times its input's L2 norm. A unit's score is the sum of the squares over its columns,
    which is what FLAP sums too (with the inputs' variance, for it makes up for their means; the scores here also serve
    without that).

    Shapes: columns (units, size, out), moments (units * size, units * size) -> (units,)
    Units:  the block's output, squared
    Zero:   for a unit whose output weights or whose inputs are all 0
    Source: Sun et al. 2023, arXiv:2306.11695, section 3, equation 1; structured as in An et al. 2023,
            arXiv:2312.11983, section 3.2
    Raises: CompressError if the shapes do not fit together
    """
    check("wanda_structured", columns, moments)
    energy = moments.float().diagonal().clamp(min=0).view(columns.shape[:2])
    return (columns.float().square().sum(dim=2) * energy).sum(dim=1)
