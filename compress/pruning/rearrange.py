"""The choice of a layer's units, made better by what two units do together. Pure: no model, nothing random."""

import torch
from torch import Tensor

from compress.errors import CompressError


def rearrange(gradients: Tensor, kept: Tensor) -> Tensor:
    """Swap units of one layer and kind, as many kept as before, as long as a swap makes the loss grow less.

    What the loss grows by is taken to second order: half the removed units' factors in the block of the Fisher
    information that is theirs, its entries off the diagonal included. Each time the best of all swaps is made, at most
    as many as there are units.

    Shapes: gradients (samples, units) by factors on the units' outputs, kept (units,) bool -> (units,) bool
    Source: Kwon et al. 2022, arXiv:2204.09656, section 4.2, equation 9, from the choice by the diagonal as there
    Raises: CompressError if the shapes do not fit together, or if there is no sample
    """
    if gradients.ndim != 2 or len(gradients) == 0 or kept.shape != gradients.shape[1:] or kept.dtype != torch.bool:
        raise CompressError(
            f"rearrange: gradients of shape {tuple(gradients.shape)} are not (samples, units) of the units of a "
            f"{kept.dtype} mask of shape {tuple(kept.shape)}."
        )
    wide = gradients.detach().cpu().double()
    fisher = wide.T @ wide / len(wide)
    removed, own = (~kept).cpu(), fisher.diagonal()
    together = fisher @ removed.double()
    slack = 1e-9 * float(own.sum())
    for _ in range(len(kept)):
        going, staying = (~removed).nonzero().flatten(), removed.nonzero().flatten()
        if not len(going) or not len(staying):
            break
        # Twice the loss's growth when `going` leaves and `staying` comes back, less what it is now.
        change = (2 * together + own)[going, None] + (own - 2 * together)[staying] - 2 * fisher[going][:, staying]
        best = int(change.argmin())
        if float(change.flatten()[best]) >= -slack:
            break
        leaves, returns = int(going[best // len(staying)]), int(staying[best % len(staying)])
        removed[leaves], removed[returns] = True, False
        together += fisher[:, leaves] - fisher[:, returns]
    return ~removed
