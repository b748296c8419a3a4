"""The layers that students start from, found once and recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from compress.config.settings import Distill, Phase, Student
from compress.data.batches import Encoded
from compress.errors import InputError
from compress.files import read_json
from compress.stages import start
from compress.stages.context import Context
from compress.stages.start import mapped_to_start, start_layers

ROWS = Encoded(
    ids=np.arange(5, 65, dtype=np.int32), types=None, starts=np.arange(0, 61, 6), labels=np.arange(10) % 3, pad_id=0
)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
    return Context("distill/x", tmp_path / "out", tmp_path / "work", tmp_path, 0, lambda done, total, note: None)


@pytest.mark.parametrize(("listed", "layers"), [(None, (0, 3)), ((2, 1), (2, 1))])
def test_listed_and_evenly_spread_layers_are_recorded(
    listed: tuple[int, ...] | None, layers: tuple[int, ...], context: Context
) -> None:
    student = Student(use="x", start_layers=listed)
    assert start_layers(student, 2, tiny.model(layers=4), ROWS, context) == layers
    assert read_json(context.out / "start.json") == {"layers": list(layers)}


def test_measured_layers_are_found_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, student = (
        tiny.model(layers=4),
        Student(use="x", start_layers="measured", distill=Distill(precision="fp32")),
    )
    layers = start_layers(student, 2, teacher, ROWS, context)
    found = read_json(context.out / "start.json")
    assert (tuple(found["layers"]), found["rows"], len(found["measured"])) == (layers, 10, 6)
    assert found["measured"][0]["layers"] == found["layers"]
    assert all(0 <= tried["accuracy"] <= 1 and tried["loss"] > 0 for tried in found["measured"])

    def again(*_: Any, **__: Any) -> Callable[..., Any]:
        raise AssertionError("measured again")

    monkeypatch.setattr(start.subsets, "measured", again)
    assert start_layers(student, 2, teacher, ROWS, context) == layers


def test_a_mapping_to_the_start_becomes_its_layers(context: Context) -> None:
    student, teacher = tiny.model(layers=2), tiny.model(layers=4)
    asked = Distill(losses={"soft_label": {"from": 0, "to": 1}}, layer_mapping="start")
    with pytest.raises(InputError, match="`start` needs a student that starts from its teacher's layers"):
        mapped_to_start(asked, student, teacher, context.out)
    start_layers(Student(use="x", start_layers=(1, 3)), 2, teacher, ROWS, context)
    assert mapped_to_start(asked, student, teacher, context.out) == asked.model_copy(update={"layer_mapping": (1, 3)})
    assert mapped_to_start(Distill(), student, teacher, context.root) == Distill()
    phased = Distill(phases=[Phase(layer_mapping="start", losses={"pkd": 1}), Phase(layer_mapping="last"), Phase()])
    trainings = mapped_to_start(phased, student, teacher, context.out).trainings
    assert [training.layer_mapping for training in trainings] == [(1, 3), "last", "uniform"]
    assert trainings[0].losses == {"pkd": 1}
