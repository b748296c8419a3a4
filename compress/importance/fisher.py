"""Second-order effect on the loss, by the diagonal of the Fisher information."""

from torch import Tensor

from compress.errors import CompressError
from compress.importance import importance


@importance(reads="gradients", comparable=True)
def fisher(gradients: Tensor) -> Tensor:
    """How much the loss would grow without the unit, to second order at a minimum: half the mean squared gradient.

    Units of all layers and kinds compare: a factor on a head and one on a neuron are both 1 before the cut and 0 after.

    Shapes: gradients (samples, units), one sample's loss by the factor on one unit's output -> (units,)
    Units:  nats
    Zero:   for a unit that no sample's loss depends on
    Source: Kwon et al. 2022, arXiv:2204.09656, section 4.1, equation 8
    Raises: CompressError if the gradients are not one row a sample, or if there is no sample
    """
    if gradients.ndim != 2 or len(gradients) == 0:
        raise CompressError(
            f"fisher: gradients of shape {tuple(gradients.shape)} are not (samples, units), 1 sample or more."
        )
    return gradients.float().square().mean(dim=0) / 2
