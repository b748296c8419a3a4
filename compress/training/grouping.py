"""Training batches of rows of like length, so that little of a batch is padding."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

POOL = 100
"""Batches that are sorted by length together: more pad less, fewer mix the rows better. On SST-2 2 to 4 % is padding."""


class LengthGroups(Sampler[list[int]]):
    """Row numbers of each training batch, in an order that follows from the seed and `epoch` alone.

    An epoch shuffles all rows, sorts pools of `POOL` batches by length, and shuffles the batches. On several devices
    each takes its slice of every batch, so that all work on rows of like length; a last batch that does not divide
    is filled with rows from its beginning.
    """

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, seed: int, *, devices: int = 1, device: int = 0
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.devices = devices
        self.device = device
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches(self.epoch):
            share = -(-len(batch) // self.devices)
            filled = np.resize(batch, share * self.devices)
            yield filled[self.device * share : (self.device + 1) * share].tolist()

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """All batches of an epoch, over all devices, in order."""
        random = np.random.default_rng((self.seed, epoch))
        rows = random.permutation(len(self.lengths))
        size = self.batch_size
        pools = [rows[start : start + POOL * size] for start in range(0, len(rows), POOL * size)]
        pools = [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        found = [pool[start : start + size] for pool in pools for start in range(0, len(pool), size)]
        return [found[place] for place in random.permutation(len(found))]

    def rows(self, step: int) -> NDArray[np.int64]:
        """The rows of a step's batch, counted from 0, over all devices."""
        epoch, place = divmod(step, len(self))
        return self.batches(epoch)[place]

    def seen(self, steps: int) -> tuple[int, int]:
        """The rows and the real tokens in the first `steps` batches of a training."""
        whole, rest = divmod(steps, len(self))
        last = self.batches(whole)[:rest]
        rows = whole * len(self.lengths) + sum(len(batch) for batch in last)
        tokens = whole * int(self.lengths.sum()) + sum(int(self.lengths[batch].sum()) for batch in last)
        return rows, tokens
