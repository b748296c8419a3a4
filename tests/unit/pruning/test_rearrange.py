"""The rearranged choice keeps as many units and never costs more; small ones are the best there is by swaps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.pruning.rearrange import rearrange


def cost(gradients: torch.Tensor, kept: torch.Tensor) -> float:
    return float((gradients.double() * ~kept).sum(1).square().mean())


@given(seed=st.integers(0, 200), kept=st.integers(0, 7))
def test_no_swap_is_left_that_helps(seed: int, kept: int) -> None:
    gradients = torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    start = torch.zeros(7, dtype=torch.bool)
    start[gradients.square().mean(0).argsort(descending=True)[:kept]] = True
    found = rearrange(gradients, start)
    assert int(found.sum()) == kept
    assert cost(gradients, found) <= cost(gradients, start) + 1e-9
    for one in found.nonzero().flatten().tolist():
        for other in (~found).nonzero().flatten().tolist():
            swapped = found.clone()
            swapped[one], swapped[other] = False, True
            assert cost(gradients, found) <= cost(gradients, swapped) + 1e-6


def test_units_that_cancel_each_other_go_together() -> None:
    signal = torch.randn(50, generator=torch.Generator().manual_seed(0))
    other = torch.randn(50, generator=torch.Generator().manual_seed(1))
    gradients = torch.stack([signal, -1.2 * signal, 0.9 * other], dim=1)
    diagonal = torch.tensor([False, True, False])
    assert rearrange(gradients, diagonal).tolist() == [False, False, True]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(CompressError, match="rearrange"):
        rearrange(torch.ones(3, 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(CompressError, match="rearrange"):
        rearrange(torch.ones(0, 2), torch.ones(2, dtype=torch.bool))
