"""A part of a Linear that stands for a Linear of its own, in families that keep several in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class Rows:
    """One of the equal shares that the outputs of a Linear fall into, such as the keys of one that gives q, k and v.

    It has what is read of a Linear: its weights and bias are views, so what is written into them is written into the
    whole; gradients are the whole's. Hooks are the whole's too and are told this share of its outputs.
    """

    def __init__(self, linear: nn.Linear, place: int, count: int) -> None:
        self.linear, self.place, self.count = linear, place, count

    @property
    def weight(self) -> Tensor:
        """(out, in)."""
        return self.of(self.linear.weight, 0)

    @property
    def bias(self) -> Tensor:
        """(out,); None, as with any Linear, where there is none."""
        return self.linear.bias if self.linear.bias is None else self.of(self.linear.bias, 0)

    @property
    def in_features(self) -> int:
        """The width of the inputs."""
        return self.linear.in_features

    @property
    def out_features(self) -> int:
        """The width of this share."""
        return self.linear.out_features // self.count

    def of(self, values: Tensor, axis: int = -1) -> Tensor:
        """This share of what has the width of the whole along an axis: a view."""
        return values.chunk(self.count, axis)[self.place]

    def register_forward_hook(self, hook: Callable[[nn.Module, Any, Tensor], None]) -> RemovableHandle:
        """Call a hook, which only looks, with this share of each output."""

        def told(module: nn.Module, args: Any, output: Tensor) -> None:
            hook(module, args, self.of(output))

        return self.linear.register_forward_hook(told)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook with the inputs of the whole."""
        return self.linear.register_forward_pre_hook(hook)


Projection = nn.Linear | Rows
"""What makes queries, keys, values or neurons of a layer's states."""


def linear_of(projection: Projection) -> nn.Linear:
    """The Linear that a projection is or is a share of."""
    return projection.linear if isinstance(projection, Rows) else projection


def places(projection: Projection, units: list[int]) -> list[int]:
    """Where outputs of a projection stand among those of its Linear."""
    first = projection.place * projection.out_features if isinstance(projection, Rows) else 0
    return [first + unit for unit in units]
