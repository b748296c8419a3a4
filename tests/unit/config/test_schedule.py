"""Numbers that move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.config.schedule import Schedule, value
from compress.config.settings import Distill

ENDS = st.floats(0, 100)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@given(ENDS, ENDS, st.floats(0, 1), st.floats(0, 1))
def test_it_goes_from_one_end_to_the_other_without_turning(
    shape: str, begin: float, end: float, one: float, other: float
) -> None:
    if begin == end:
        return
    moving = Schedule(**{"from": begin, "to": end, "shape": shape})
    assert (moving.at(0), moving.at(1)) == (begin, pytest.approx(end))
    early, late = sorted((one, other))
    assert (moving.at(late) - moving.at(early)) * (end - begin) >= -1e-9


def test_the_shapes() -> None:
    assert [Schedule(**{"from": 4, "to": 0}).at(share) for share in (0.25, 0.5)] == [3, 2]
    cosine = Schedule(**{"from": 4, "to": 0, "shape": "cosine"})
    assert [cosine.at(share) for share in (0.25, 0.5)] == pytest.approx([2 + 2**0.5, 2])
    assert value(cosine, 1.0) == pytest.approx(0)
    assert value(7, 0.5) == 7


def test_settings_with_schedules_come_back_from_what_they_are_written_as() -> None:
    own = Distill(losses={"soft_label": {"from": 1, "to": 0}, "cosine": 2}, temperature={"from": 4, "to": 1})
    assert Distill(**own.model_dump(by_alias=True)) == own
    assert Distill.model_validate_json(own.model_dump_json(by_alias=True), strict=True) == own
