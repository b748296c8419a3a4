"""Batches of rows of like length."""

import numpy as np
import pytest

from compress.training.grouping import LengthGroups

LENGTHS = np.random.default_rng(0).geometric(0.08, 4000) + 2


def padding(batches: list[list[int]]) -> float:
    """The share of all positions that are padding."""
    width = sum(len(batch) * int(LENGTHS[batch].max()) for batch in batches)
    return 1 - int(LENGTHS[np.concatenate(batches)].sum()) / width


def test_an_epoch_has_every_row_once_and_hardly_any_padding() -> None:
    batches = list(LengthGroups(LENGTHS, 32, seed=0))
    assert sorted(np.concatenate(batches)) == list(range(4000))
    assert len(batches) == len(LengthGroups(LENGTHS, 32, seed=0)) == 125
    assert padding(batches) < 0.08
    shuffled = np.random.default_rng(1).permutation(4000).reshape(-1, 32)
    assert padding([list(batch) for batch in shuffled]) > 0.6


def test_the_order_follows_from_seed_and_epoch() -> None:
    one, again, other = (LengthGroups(LENGTHS, 32, seed=seed) for seed in (0, 0, 1))
    assert list(one) == list(again) != list(other)
    again.epoch = 1
    assert list(one) != list(again)


def test_long_and_short_batches_come_mixed() -> None:
    widths = [LENGTHS[batch].max() for batch in LengthGroups(LENGTHS, 32, seed=0)]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.3


@pytest.mark.parametrize("count", [64, 70])
def test_devices_share_each_batch(count: int) -> None:
    whole = list(LengthGroups(LENGTHS[:count], 32, seed=0))
    parts = [list(LengthGroups(LENGTHS[:count], 32, seed=0, devices=4, device=device)) for device in range(4)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert len({len(share) for share in shares}) == 1
        assert set(np.concatenate(shares)) == set(batch)


def test_rows_and_tokens_seen() -> None:
    groups = LengthGroups(LENGTHS[:70], 32, seed=0)
    assert groups.seen(3) == (70, LENGTHS[:70].sum())
    first = groups.batches(1)[0]
    assert groups.seen(4) == (70 + len(first), LENGTHS[:70].sum() + LENGTHS[first].sum())
