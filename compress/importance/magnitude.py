"""Size of weights."""

from torch import Tensor

from compress.errors import CompressError
from compress.importance import importance


@importance(reads="weights")
def magnitude(weights: Tensor) -> Tensor:
    """How large a unit's weights are: the sum of their absolute values.

    Shapes: weights (units, n) -> (units,)
    Units:  weight values
    Zero:   for a unit whose weights are all 0
    Source: Li et al. 2017, arXiv:1608.08710, section 3.1
    Raises: CompressError if the weights are not one row a unit
    """
    if weights.ndim != 2:
        raise CompressError(f"magnitude: weights of shape {tuple(weights.shape)} are not (units, n).")
    return weights.float().abs().sum(dim=1)
