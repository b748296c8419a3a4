"""Every layer mapping says what it reads, and gives each student layer what the teacher has."""

import inspect
from pathlib import Path

import plugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress import registry
from compress.errors import InputError
from compress.registry import MAPPINGS

LISTED = [name for name in MAPPINGS.names() if "layers" in inspect.signature(MAPPINGS.load(name)).parameters]
RULES = [name for name in MAPPINGS.names() if name not in LISTED and MAPPINGS.load(name).reads == "counts"]
CHOOSERS = [name for name in MAPPINGS.names() if MAPPINGS.load(name).reads == "costs"]


@st.composite
def tables(draw: st.DrawFn, deepest: int = 6) -> list[list[float]]:
    """Costs of student layers x teacher layers; whole numbers, so that some are equal."""
    student, teacher = draw(st.integers(1, deepest)), draw(st.integers(1, deepest))
    row = st.lists(st.integers(0, 50).map(float), min_size=teacher, max_size=teacher)
    return draw(st.lists(row, min_size=student, max_size=student))


def test_every_mapping_is_of_one_kind():
    assert sorted([*LISTED, *RULES, *CHOOSERS]) == MAPPINGS.names()
    assert RULES
    assert CHOOSERS


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
def test_in_range_and_rising(name, data):
    teacher = data.draw(st.integers(1, 48))
    student = data.draw(st.integers(1, teacher))
    layers = MAPPINGS.load(name)(student, teacher)
    assert len(layers) == student
    assert all(0 <= layer < teacher for layer in layers)
    assert list(layers) == sorted(set(layers))
    assert layers[0] == 0 if name == "first" else layers[-1] == teacher - 1


@pytest.mark.parametrize("name", RULES)
def test_same_depth_is_layer_by_layer(name):
    assert MAPPINGS.load(name)(6, 6) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", RULES)
def test_no_layers_are_refused(name):
    with pytest.raises(InputError):
        MAPPINGS.load(name)(0, 12)


@pytest.mark.parametrize("name", LISTED)
def test_what_is_listed_is_taken_if_it_fits(name):
    rule = MAPPINGS.load(name)
    assert rule(3, 6, layers=[0, 2, 5]) == (0, 2, 5)
    for wrong in ([0, 2], [0, 2, 6], [-1, 2, 5]):
        with pytest.raises(InputError, match=r"\[.*\]"):
            rule(3, 6, layers=wrong)


@pytest.mark.parametrize("name", CHOOSERS)
@given(costs=tables())
def test_weights_are_shares_of_each_student_layer(name, costs):
    weights = MAPPINGS.load(name)(costs)
    assert [len(row) for row in weights] == [len(row) for row in costs]
    assert all(0 <= weight <= 1 for row in weights for weight in row)
    assert [sum(row) for row in weights] == pytest.approx([1] * len(costs))
    assert weights == MAPPINGS.load(name)(costs)


@pytest.mark.parametrize("name", CHOOSERS)
def test_layers_that_agree_are_matched(name):
    costs = [[abs(own - other) + 1.0 for other in range(5)] for own in range(5)]
    assert [row.index(1) for row in MAPPINGS.load(name)(costs)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize("costs", [[], [[]]])
def test_costs_of_no_layers_are_refused(name, costs):
    with pytest.raises(InputError, match="at least 1"):
        MAPPINGS.load(name)(costs)


@pytest.mark.parametrize("name", MAPPINGS.names())
def test_docstring_says_everything(name):
    text = inspect.getdoc(MAPPINGS.load(name))
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in text
    assert "section" in text.split("Source:")[1]


def test_a_third_partys_mapping_says_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "def bare(student, teacher):\n    pass\n"
    points = "[compress.mappings]\nbare = acme_maps:bare\n"
    plugin.install(monkeypatch, tmp_path, points, {"acme_maps.py": text})
    with pytest.raises(
        InputError, match=r"the layer mapping `bare` of acme_maps:bare has no `reads`. Write the decorator"
    ):
        registry.MAPPINGS.load("bare")
