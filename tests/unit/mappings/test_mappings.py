import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import InputError
from compress.mappings.explicit import explicit
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
