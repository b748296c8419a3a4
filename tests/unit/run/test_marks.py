"""What is known of losses without importing them."""

import inspect

import pytest

from compress.registry import LOSSES
from compress.run import marks


@pytest.mark.parametrize("name", LOSSES.names())
def test_what_a_loss_is_marked_to_read_is_known_by_its_source(name: str) -> None:
    assert marks.reads(name) == LOSSES.load(name).reads


@pytest.mark.parametrize("name", LOSSES.names())
@pytest.mark.parametrize("option", ["label_smoothing", "temperature", "relation_heads"])
def test_the_settings_that_a_loss_takes_are_known_by_its_source(name: str, option: str) -> None:
    assert marks.takes(name, option) == (option in inspect.signature(LOSSES.load(name)).parameters)


@pytest.mark.parametrize("foreign", [True, False])
def test_a_third_partys_loss_is_not_known(foreign: bool) -> None:
    assert marks.reads("odd") is None
    assert marks.takes("odd", "temperature", foreign=foreign) is foreign
