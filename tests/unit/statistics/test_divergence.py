import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from compress.errors import CompressError, ShapeMismatch
from compress.statistics import divergence as module
from compress.statistics.divergence import divergence


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 1000))
def test_it_is_the_mean_relative_entropy(rows: int, classes: int, seed: int) -> None:
    student, teacher = numpy.random.default_rng(seed).normal(0, 3, (2, rows, classes))
    found = divergence(student, teacher)
    expected = rel_entr(softmax(teacher, -1), softmax(student, -1)).sum(-1).mean()
    assert found.value == pytest.approx(expected)
    assert 0 <= found.low <= found.high


def test_a_known_value() -> None:
    teacher, student = numpy.log([[0.5, 0.5]]), numpy.log([[0.9, 0.1]])
    assert divergence(student, teacher).value == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1))
    assert divergence(teacher, student).value == pytest.approx(0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5))


def test_equal_answers_have_none() -> None:
    teacher = numpy.random.default_rng(0).normal(size=(50, 4)).astype(numpy.float32)
    assert divergence(teacher, teacher) == (0, 0, 0)
    assert divergence(teacher + 3, teacher).high < 1e-6


def test_sure_answers_overflow_nothing() -> None:
    assert divergence(numpy.array([[1e4, -1e4]]), numpy.array([[-1e4, 1e4]])).value == pytest.approx(2e4)


def test_rows_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher = numpy.random.default_rng(0).normal(size=(2, 50, 4))
    whole = divergence(student, teacher)
    monkeypatch.setattr(module, "_ROWS", 7)
    assert divergence(student, teacher) == whole


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeMismatch):
        divergence(numpy.zeros((3, 2)), numpy.zeros((3, 4)))
    with pytest.raises(CompressError, match="no rows"):
        divergence(numpy.zeros((0, 2)), numpy.zeros((0, 2)))
