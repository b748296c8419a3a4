"""A pipeline file with its cards, and its mistakes."""

from pathlib import Path

import pytest

from compress.config.pipeline import load
from compress.errors import InputError

GOOD = """\
name: demo
task:
  type: text-classification
  data: {train: train.tsv, validation: dev.tsv}
teacher:
  use: bert-base
students:
  small:
    use: distilbert
export:
  - {target: onnxruntime, precision: fp32}
"""


def written(folder: Path, text: str = GOOD, name: str = "pipeline.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path, *sets: str) -> list[str]:
    with pytest.raises(InputError) as error:
        load(path, sets)
    return [str(problem).replace(str(path), path.name) for problem in error.value.problems]


def test_cards_are_filled_in(tmp_path: Path) -> None:
    loaded = load(written(tmp_path))
    assert loaded.settings.teacher.model.hub == "google-bert/bert-base-uncased"
    assert loaded.settings.students["small"].architecture.layers == 6
    assert loaded.settings.students["small"].distill.losses == {"soft_label": 5, "hard_label": 2, "cosine": 1}
    assert loaded.settings.export[0].precision == ("fp32",)
    assert loaded.folder == tmp_path / "runs" / "demo"


def test_the_file_overrides_its_cards_and_losses_are_replaced_whole(tmp_path: Path) -> None:
    path = written(tmp_path)
    loaded = load(path, ["students.small.distill={losses: {soft_label: 1}, epochs: 9}", "teacher.train.epochs=1"])
    distill = loaded.settings.students["small"].distill
    assert distill.losses == {"soft_label": 1}
    assert (distill.epochs, distill.temperature) == (9, 2)
    assert loaded.settings.teacher.train.learning_rate == 3e-5


def test_a_model_in_the_file_replaces_the_one_of_the_card(tmp_path: Path) -> None:
    loaded = load(written(tmp_path), ["teacher.model={folder: my/model}"])
    assert loaded.settings.teacher.model.hub is None
    assert loaded.settings.teacher.model.folder == "my/model"


def test_a_project_card_wins_and_its_folder_is_relative_to_it(tmp_path: Path) -> None:
    card = """\
name: bert-base
title: ours
source: ours
license: MIT
language: en
family: bert
model: {folder: ../weights}
architecture: {layers: 1}
"""
    written(tmp_path, card, "teachers/bert-base.yaml")
    assert load(written(tmp_path)).settings.teacher.model.folder == "weights"


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("type: text-classification", "type: text-clasification\n  max_lenght: 3\n  metric: acuracy")
    text = text.replace(
        "use: distilbert",
        "use: distilbert\n    distill: {temprature: 4, losses: {soft_lable: 1}}\n    prune: {heads: 50}",
    )
    found = problems(written(tmp_path, text.replace("bert-base", "bert-bas").replace("onnxruntime", "onxruntime")))
    assert [line.split(": ")[1] for line in found] == [
        "task.type",
        "task.max_lenght",
        "task.metric",
        "teacher.use",
        "students.small.distill.losses.soft_lable",
        "students.small.distill.temprature",
        "students.small.prune.heads",
        "export.0.target",
    ]
    assert found[1].startswith("pipeline.yaml:4: task.max_lenght: no such key. Did you mean `max_length`? Keys here: ")
    assert found[3].startswith(
        "pipeline.yaml:8: teacher.use: no such teacher card `bert-bas`. Did you mean `bert-base`?"
    )
    assert "`50` is not below 1" in found[6]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed=-1", "--set seed: seed: `-1` is below 0; give 0 or more. Seed of everything random."),
        ("seed=true", "--set seed: seed: `true` is not a whole number."),
        ("seed=1.5", "--set seed: seed: `1.5` is not a whole number."),
        ("teacher.train.learning_rate=.nan", "--set teacher.train.learning_rate: teacher.train.learning_rate: "),
        ("export=[]", ""),
        ("students={}", "--set students: students: is empty; give at least one."),
        ("students.teacher={use: distilbert}", "a student cannot be named `teacher`."),
        ("name=../x", "--set name: name: `../x` does not fit the pattern"),
        ("teacher.model={scratch: {architecture: {layers: 2}}}", "the architecture lacks hidden, heads, intermediate."),
        ("teacher.model={revision: x}", "give a `hub` id, a `folder`, a `package` or `scratch`."),
        ("students.small.distill.layer_mapping=explicit", "`explicit` needs the layers"),
        ("students.small.prune={}", "nothing to cut"),
        ("task.text_pair=b", "`text_pair` names the second column"),
    ],
)
def test_single_mistakes(tmp_path: Path, assignment: str, message: str) -> None:
    path = written(tmp_path)
    if not message:
        assert load(path, [assignment]).settings.export == ()
    else:
        assert any(message in line for line in problems(path, assignment)), problems(path, assignment)


def test_a_broken_card_is_reported_with_its_own_lines(tmp_path: Path) -> None:
    card = written(tmp_path, "name: other\ntitle: x\nsource: x\narchitecture: {layrs: 3}\n", "students/distilbert.yaml")
    found = problems(written(tmp_path))
    assert len(found) == 1
    assert found[0].startswith(f"{card}:4: architecture.layrs: no such key. Did you mean `layers`?")


def test_the_teacher_is_bert_large_if_none_is_named(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, GOOD.replace("teacher:\n  use: bert-base\n", "")))
    assert loaded.settings.teacher.use == "bert-large"
    loaded = load(written(tmp_path, GOOD.replace("use: bert-base", "train: {epochs: 1}")))
    assert (loaded.settings.teacher.use, loaded.settings.teacher.train.epochs) == ("bert-large", 1)
