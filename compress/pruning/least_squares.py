"""Weighted least squares of a Linear's weights, batch by batch, in float64."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from compress.encoders.narrowing import ROUNDING

RIDGE = 0.01
"""How strongly a fitted Linear holds on to its weights, in mean squares of its inputs."""


class Fitted(NamedTuple):
    """Weighted mean squared error of the rows, summed over the outputs."""

    before: float
    after: float


class Squares:
    """The normal equations of a Linear: what is missing in its outputs, by what goes in."""

    def __init__(self, linear: nn.Linear) -> None:
        self.linear = linear
        inputs, outputs = linear.in_features, linear.out_features
        made = {"dtype": torch.float64, "device": linear.weight.device}
        self.moments = torch.zeros(inputs, inputs, **made)  # type: ignore[call-overload]
        self.cross = torch.zeros(inputs, outputs, **made)  # type: ignore[call-overload]
        self.input_sum = torch.zeros(inputs, **made)  # type: ignore[call-overload]
        self.missing_sum = torch.zeros(outputs, **made)  # type: ignore[call-overload]
        self.squares, self.total = 0.0, 0.0

    def add(self, inputs: Tensor, missing: Tensor, weights: Tensor) -> None:
        """Add rows.

        Shapes: inputs (rows, in); missing (rows, out), the goal less the output of the Linear as it is; weights (rows,)
        """
        wide, gap, share = inputs.double(), missing.double(), weights.double().unsqueeze(1)
        heavy = wide * share
        self.moments.addmm_(heavy.T, wide)
        self.cross.addmm_(heavy.T, gap)
        self.input_sum += heavy.sum(0)
        self.missing_sum += (gap * share).sum(0)
        self.squares += float((gap.square() * share).sum())
        self.total += float(share.sum())

    def solve(self) -> Fitted:
        """Change the Linear, in place: the least error with a ridge around its weights; its bias follows freely.

        Without any weight on any row it stays as it is.
        """
        if self.total <= 0:
            return Fitted(0.0, 0.0)
        moments, cross = self.moments / self.total, self.cross / self.total
        mean, gap = self.input_sum / self.total, self.missing_sum / self.total
        biased = self.linear.bias is not None
        if biased:
            moments, cross = moments - torch.outer(mean, mean), cross - torch.outer(mean, gap)
        damped = moments.clone()
        if len(damped):
            least = (ROUNDING * self.moments.diagonal().mean() / self.total).clamp(min=1e-30)
            damped.diagonal().add_(torch.maximum(RIDGE * damped.diagonal().mean(), least))
        change = torch.linalg.solve(damped, cross)
        with torch.no_grad():
            self.linear.weight.add_(change.T.to(self.linear.weight))
            if biased:
                self.linear.bias.add_((gap - change.T @ mean).to(self.linear.bias))
        before = self.squares / self.total
        won = 2 * (change * cross).sum() - (change * (moments @ change)).sum() + (gap.square().sum() if biased else 0)
        return Fitted(before, max(before - float(won), 0.0))
