"""Rows that a tiny model can learn."""

from collections.abc import Callable

import numpy as np
import pytest

from compress.data.batches import Encoded


@pytest.fixture
def rows() -> Callable[..., Encoded]:
    """Makes rows of 3 to 9 of 55 tokens whose label, one of three, shows in their second token."""

    def make(count: int = 40, seed: int = 0, *, types: bool = False) -> Encoded:
        random = np.random.default_rng(seed)
        lengths, labels = random.integers(3, 10, count), random.integers(0, 3, count)
        ids = random.integers(5, 60, lengths.sum()).astype(np.int32)
        starts = np.concatenate([[0], lengths.cumsum()])
        ids[starts[:-1] + 1] = 10 + labels
        kinds = np.zeros_like(ids) if types else None
        return Encoded(ids=ids, types=kinds, starts=starts, labels=labels, pad_id=0)

    return make
