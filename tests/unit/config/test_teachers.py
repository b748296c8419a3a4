"""Phases and further teachers in a pipeline file."""

from pathlib import Path

import plugin
import project
import pytest

from compress.config.pipeline import load
from compress.errors import InputError

TEACHERS = "teachers={big: {use: own}, api: {predictions: api.jsonl}}"


def problems(folder: Path, *sets: str) -> list[str]:
    path = project.write(folder)
    try:
        load(path, [TEACHERS, *sets])
    except InputError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]
    return []


def test_a_further_teacher_is_filled_in_from_its_card(tmp_path: Path) -> None:
    sets = [TEACHERS, "teachers.big.train.epochs=1", "teachers.other={model: {folder: x}}"]
    found = load(project.write(tmp_path), sets).settings.teachers
    assert found["big"].model is not None
    assert found["big"].model.scratch is not None
    assert (found["big"].train.epochs, found["big"].train.batch_size) == (1, 16)
    assert (found["api"].predictions, found["api"].model) == ("api.jsonl", None)
    assert found["other"].model is not None


def test_phases_of_a_card_are_replaced_as_a_whole_or_changed_one_by_one(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    card = tmp_path / "students" / "thin.yaml"
    phases = "phases: [{losses: {hidden_state: 1}, epochs: 3}, {losses: {soft_label: 1}}]"
    card.write_text(card.read_text().replace("epochs: 1,", f"epochs: 1, {phases},"))

    def trainings(*sets: str) -> list[tuple[list[str], float]]:
        distill = load(path, sets).settings.students["narrow"].distill
        return [([*each.losses], each.epochs) for each in distill.trainings]

    assert trainings() == [(["hidden_state"], 3), (["soft_label"], 1)]
    assert trainings("students.narrow.distill.phases.1.epochs=2") == [(["hidden_state"], 3), (["soft_label"], 2)]
    assert trainings("students.narrow.distill.phases=[{epochs: 2}]")[0][1] == 2
    assert len(trainings("students.narrow.distill.phases=[]")[0][0]) == 4


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("teachers.teacher={use: own}", "a further teacher cannot be named `teacher`"),
        ("teachers={a.b: {use: own}}", "a teacher's name has no dot"),
        ("teachers.api.call=x", "give a model (a card's name under `use`, or `model`), or `predictions`, or `call`."),
        ("teachers.api={}", "give a model (a card's name"),
        ("teachers.api.train={epochs: 1}", "`train` belongs to a model"),
        ("teachers.big.use=ovn", "teachers.big.use: no such teacher card `ovn`. Did you mean `own`?"),
        ("teachers.api={call: x}", "teachers.api.call: no such callable teacher `x`."),
        (
            "students.small.distill.teachers={bog: 1}",
            "distill.teachers.bog: no such teacher `bog`. Did you mean `big`?",
        ),
        ("students.small.distill.teachers={big: 0}", "distill.teachers.big: `0` is not above 0"),
        ("students.small.distill.teachers={}", "distill.teachers: is empty"),
        ("students.small.distill.cache={}", "distill.cache.budget_gb: is missing."),
        (
            "students.small.distill.phases=[{losses: {soft_labell: 1}}]",
            "distill.phases.0.losses.soft_labell: no such loss `soft_labell`. Did you mean `soft_label`?",
        ),
        ("students.small.distill.phases=[{layer_mapping: unifrom}]", "phases.0.layer_mapping: no such layer mapping"),
        ("students.small.distill.phases=[{layer_mapping: explicit}]", "phases.0.layer_mapping: `explicit` needs"),
        ("students.small.distill.phases=[{}, {teachers: {x: 1}}]", "distill.phases.1.teachers.x: no such teacher `x`."),
        ("students.small.distill.phases=[{epoch: 1}]", "distill.phases.0.epoch: no such key. Did you mean `epochs`?"),
        ("students.small.distill.phases=[{phases: []}]", "distill.phases.0.phases: no such key."),
        ("students.small.distill.phases=[{epochs: 0}]", "distill.phases.0.epochs: `0` is not above 0"),
        (
            "students.small.distill={epochs: 2, phases: [{epochs: 1}, {epochs: 2, losses: {hard_label: 1}}]}",
            "students.small.distill.epochs: `epochs` has no effect: every phase gives its own.",
        ),
    ],
)
def test_single_mistakes(tmp_path: Path, assignment: str, message: str) -> None:
    found = problems(tmp_path, assignment)
    assert any(message in line for line in found), found


def test_what_every_phase_gives_may_stand_in_the_card(tmp_path: Path) -> None:
    assert problems(tmp_path, "students.small.distill.phases=[{epochs: 1, losses: {hard_label: 1}}]") == []


def test_a_program_is_found_among_the_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.teachers]\nx = acme.x:answer\n", {})
    assert problems(tmp_path, "teachers.api={call: x}") == []
