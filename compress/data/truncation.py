"""Which tokens of a text that is too long are kept."""

from collections.abc import Sequence
from typing import Literal

Side = Literal["head", "tail", "head+tail"]


def truncate(ids: Sequence[int], limit: int, side: Side) -> list[int]:
    """At most `limit` of a text's tokens: its beginning, its end, or a quarter from the beginning and the rest from the end.

    Of 510 tokens `head+tail` takes 128 and 382, as the paper does.

    Shapes: ids without special tokens (n,) -> (min(n, limit),)
    Source: Sun et al. 2019, arXiv:1905.05583, section 5.3.1
    """
    if len(ids) <= limit:
        return list(ids)
    first = {"head": limit, "tail": 0, "head+tail": (limit + 2) // 4}[side]
    return [*ids[:first], *ids[len(ids) - (limit - first) :]]


def truncate_pair(first: Sequence[int], second: Sequence[int], limit: int, side: Side) -> tuple[list[int], list[int]]:
    """At most `limit` tokens of two texts together, taken from the longer one, token by token, until they fit.

    Shapes: ids without special tokens (n,), (m,) -> (k,), (l,) with k + l = min(n + m, limit)
    Source: the `longest_first` strategy of the tokenizers library
    """
    short, long = sorted((len(first), len(second)))
    if short + long > limit:
        long = max(limit - short, (limit + 1) // 2)
        short = limit - long
    lengths = (long, short) if len(first) > len(second) else (short, long)
    return truncate(first, lengths[0], side), truncate(second, lengths[1], side)
