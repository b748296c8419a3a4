"""Rows that show where a student differs: useful ones, the same for all variants where that can be."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from compress.report.examples import examples

GOLD = [0] * 8
SURE = [10, 20, 30, 40, 50, 60, 70, 80]


def differing(*rows: int, of: list[int]) -> list[int]:
    return [1 - answer if row in rows else answer for row, answer in enumerate(of)]


def chosen(variants: Mapping[str, list[int]], limit: int, teacher: list[int] = GOLD) -> list[int]:
    return examples(GOLD, teacher, SURE, variants, limit)


def test_the_teachers_right_answers_come_first_the_surest_before_others() -> None:
    teacher = differing(7, of=GOLD)
    student = {"int8": differing(0, 2, 4, 7, of=teacher)}
    assert [chosen(student, limit, teacher) for limit in range(6)] == [
        [],
        [4],
        [2, 4],
        [0, 2, 4],
        [0, 2, 4, 7],
        [0, 2, 4, 7],
    ]


def test_a_row_that_all_variants_miss_serves_all() -> None:
    student = {"fp32": differing(1, 5, of=GOLD), "int8": differing(1, 6, 7, of=GOLD)}
    assert chosen(student, 1) == [1]
    assert chosen(student, 3) == [1, 5, 7]
    assert chosen(student, 9) == [1, 5, 6, 7]


def test_every_variant_has_rows_of_its_own() -> None:
    student = {"fp32": differing(0, of=GOLD), "int8": differing(1, 2, 3, 4, 5, 6, 7, of=GOLD)}
    assert chosen(student, 2) == [0, 7]
    assert chosen({"fp32": GOLD, "fp16": GOLD}, 5) == []
    assert chosen({}, 5) == []


@given(st.lists(st.lists(st.integers(0, 2), min_size=8, max_size=8), min_size=1, max_size=4), st.integers(0, 9))
def test_no_more_than_asked_all_differ_and_more_keeps_the_fewer(answers: list[list[int]], limit: int) -> None:
    student = {str(number): own for number, own in enumerate(answers[1:])}
    found = chosen(student, limit, answers[0])
    differ = {row for own in student.values() for row in range(8) if own[row] != answers[0][row]}
    assert len(found) == min(limit, len(differ))
    assert differ.issuperset(found)
    assert set(found) <= set(chosen(student, limit + 1, answers[0]))
