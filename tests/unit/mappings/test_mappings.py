from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from compress.errors import InputError
from compress.mappings.dynamic import dynamic
from compress.mappings.emd import emd
from compress.mappings.explicit import explicit
from compress.mappings.first import first
from compress.mappings.last import last
from compress.mappings.uniform import uniform


def test_uniform_is_tinyberts_where_it_divides():
    assert uniform(4, 12) == (2, 5, 8, 11)
    assert uniform(3, 6) == (1, 3, 5)
    assert uniform(4, 6) == (1, 2, 4, 5)


@given(st.integers(1, 40), st.integers(1, 40))
def test_uniform_never_falls_whatever_the_depths(student, teacher):
    layers = uniform(student, teacher)
    assert len(layers) == student
    assert list(layers) == sorted(layers)
    assert 0 <= layers[0] <= layers[-1] == teacher - 1


def test_first_takes_the_bottom():
    assert first(4, 12) == (0, 1, 2, 3)
    with pytest.raises(InputError, match="student of 8 layers and a teacher of 6"):
        first(8, 6)


def test_last_takes_the_top():
    assert last(4, 12) == (8, 9, 10, 11)


def test_last_refuses_a_deeper_student():
    with pytest.raises(InputError, match="student of 8 layers and a teacher of 6"):
        last(8, 6)


def test_explicit_is_taken_as_written():
    assert explicit(3, 12, layers=[11, 0, 0]) == (11, 0, 0)


def test_explicit_of_another_length_says_how_many():
    with pytest.raises(
        InputError, match=r"\[0, 1\] lists 2 teacher layers .* of 4 layers\. List 4 numbers from 0 to 11\."
    ):
        explicit(4, 12, layers=[0, 1])


@pytest.mark.parametrize("layers", [[0, 12], [-1, 3]])
def test_explicit_out_of_range_says_the_range(layers):
    with pytest.raises(InputError, match=r"teacher of 12 layers does not have\. List numbers from 0 to 11\."):
        explicit(2, 12, layers=layers)


def test_explicit_may_leave_layers_out_but_not_all():
    assert explicit(3, 12, layers=[None, 4, None]) == (None, 4, None)
    with pytest.raises(InputError, match=r"\[null, null\] lets no layer learn"):
        explicit(2, 12, layers=[None, None])


@st.composite
def tables(draw):
    student, teacher = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    row = st.lists(st.integers(0, 20).map(float), min_size=teacher, max_size=teacher)
    return draw(st.lists(row, min_size=student, max_size=student))


def cost(costs, weights):
    return sum(a * b for row, shares in zip(costs, weights, strict=True) for a, b in zip(row, shares, strict=True))


@given(tables())
def test_dynamic_is_the_cheapest_of_all_ordered_choices(costs):
    student, teacher = len(costs), len(costs[0])
    choices = combinations if student <= teacher else combinations_with_replacement
    totals = [sum(row[to] for row, to in zip(costs, path, strict=True)) for path in choices(range(teacher), student)]
    assert cost(costs, dynamic(costs)) == min(totals)
    path = [row.index(1.0) for row in dynamic(costs)]
    assert tuple(path) in set(choices(range(teacher), student))


def test_dynamic_takes_the_lower_of_equal_layers():
    assert dynamic([[1.0, 1.0, 1.0]] * 2) == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@settings(max_examples=30)
@given(tables())
def test_emd_is_the_cheapest_transport(costs):
    student, teacher = len(costs), len(costs[0])
    weights = emd(costs)
    given = [sum(column) for column in zip(*weights, strict=True)]
    assert given == pytest.approx([student / teacher] * teacher)
    rows = np.kron(np.eye(student), np.ones(teacher))
    columns = np.kron(np.ones(student), np.eye(teacher))
    supplies = [1.0] * student + [student / teacher] * teacher
    best = linprog(np.ravel(costs), A_eq=np.vstack([rows, columns]), b_eq=supplies)
    assert cost(costs, weights) == pytest.approx(best.fun, abs=1e-6)


def test_emd_splits_a_layer_between_two():
    assert emd([[0.0, 9.0, 0.0, 9.0], [9.0, 0.0, 9.0, 0.0]]) == ((0.5, 0.0, 0.5, 0.0), (0.0, 0.5, 0.0, 0.5))
    assert emd([[1.0, 2.0, 3.0]]) == (pytest.approx((1 / 3, 1 / 3, 1 / 3)),)
