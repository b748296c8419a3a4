"""Every layer mapping gives each student layer a layer that the teacher has, in order."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import InputError
from compress.registry import MAPPINGS

RULES = [name for name in MAPPINGS.names() if "layers" not in inspect.signature(MAPPINGS.load(name)).parameters]


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
def test_in_range_rising_and_last_for_last(name, data):
    teacher = data.draw(st.integers(1, 48))
    student = data.draw(st.integers(1, teacher))
    layers = MAPPINGS.load(name)(student, teacher)
    assert len(layers) == student
    assert all(0 <= layer < teacher for layer in layers)
    assert list(layers) == sorted(set(layers))
    assert layers[-1] == teacher - 1


@pytest.mark.parametrize("name", RULES)
def test_same_depth_is_layer_by_layer(name):
    assert MAPPINGS.load(name)(6, 6) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", RULES)
def test_no_layers_are_refused(name):
    with pytest.raises(InputError):
        MAPPINGS.load(name)(0, 12)


@pytest.mark.parametrize("name", MAPPINGS.names())
def test_docstring_says_everything(name):
    text = inspect.getdoc(MAPPINGS.load(name))
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in text
