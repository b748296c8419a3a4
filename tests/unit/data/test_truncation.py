from hypothesis import given
from hypothesis import strategies as st

from compress.data.truncation import truncate, truncate_pair

SIDES = st.sampled_from(["head", "tail", "head+tail"])


def test_sides():
    ids = list(range(10))
    assert truncate(ids, 4, "head") == [0, 1, 2, 3]
    assert truncate(ids, 4, "tail") == [6, 7, 8, 9]
    assert truncate(ids, 4, "head+tail") == [0, 7, 8, 9]


def test_head_and_tail_are_the_papers():
    ids = list(range(600))
    assert truncate(ids, 510, "head+tail") == ids[:128] + ids[-382:]


@given(st.integers(0, 60), st.integers(0, 30), SIDES)
def test_kept_tokens_are_in_order_and_as_many_as_fit(length, limit, side):
    kept = truncate(range(length), limit, side)
    assert len(kept) == min(length, limit)
    assert kept == sorted(set(kept))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 50), SIDES)
def test_pairs_lose_tokens_of_the_longer_text_one_by_one(first, second, limit, side):
    one, other = truncate_pair(range(first), range(second), limit, side)
    left, right = first, second
    while left + right > limit:
        left, right = (left - 1, right) if left > right else (left, right - 1)
    assert sorted((len(one), len(other))) == sorted((left, right))
    assert len(one) - len(other) in (left - right, right - left)
    assert one == truncate(range(first), len(one), side)
    assert other == truncate(range(second), len(other), side)


@given(st.integers(0, 40), st.integers(0, 50), SIDES)
def test_a_text_alone_is_a_pair_with_an_empty_one(length, limit, side):
    assert truncate_pair(range(length), [], limit, side) == (truncate(range(length), limit, side), [])
