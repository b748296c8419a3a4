"""First-order effect on the loss."""

from torch import Tensor

from compress.errors import CompressError
from compress.importance import importance


@importance(reads="gradients")
def taylor(gradients: Tensor) -> Tensor:
    """How much the loss would change, to first order, without the unit: the mean absolute gradient by its factor.

    Shapes: gradients (samples, units), one sample's loss by the factor on one unit's output -> (units,)
    Units:  nats
    Zero:   for a unit that no sample's loss depends on
    Source: Michel et al. 2019, arXiv:1905.10650, section 4.1; Molchanov et al. 2017, arXiv:1611.06440, section 2.2
    Raises: CompressError if the gradients are not one row a sample, or if there is no sample
    """
    if gradients.ndim != 2 or len(gradients) == 0:
        raise CompressError(
            f"taylor: gradients of shape {tuple(gradients.shape)} are not (samples, units), 1 sample or more."
        )
    return gradients.float().abs().mean(dim=0)
