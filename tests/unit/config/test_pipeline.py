"""A pipeline file with its cards, and its mistakes."""

from pathlib import Path

import pytest

from compress.config.pipeline import load
from compress.config.settings import KeptTokens
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


@pytest.mark.parametrize("given", ["12000", "{size: 12000}"])
def test_a_bare_number_is_the_size_of_a_vocabulary(given: str, tmp_path: Path) -> None:
    prune = load(written(tmp_path), [f"students.small.prune={{vocabulary: {given}}}"]).settings.students["small"].prune
    assert prune is not None
    assert prune.vocabulary == KeptTokens(size=12000)
    assert prune.heads == prune.neurons == 0


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


OURS = """\
name: bert-base
title: ours
source: ours
license: MIT
language: en
family: bert
model: {folder: ../weights}
architecture: {layers: 1}
"""


def test_a_project_card_wins_and_its_folder_is_relative_to_it(tmp_path: Path) -> None:
    written(tmp_path, OURS, "teachers/bert-base.yaml")
    assert load(written(tmp_path)).settings.teacher.model.folder == "weights"


@pytest.mark.parametrize("folder", ["../../weights", "/weights", "out/weights"])
def test_a_card_names_no_folder_outside_of_its_project(tmp_path: Path, folder: str) -> None:
    card = written(tmp_path, OURS.replace("../weights", folder), "teachers/bert-base.yaml")
    (tmp_path / "teachers" / "out").symlink_to("/")
    assert problems(written(tmp_path)) == [
        f"{card}:7: model.folder: `{folder}` leads out of the project. Put the model into it, or name the folder in the "
        "pipeline: it wins over the card's."
    ]
    assert load(written(tmp_path), ["teacher.model={folder: /weights}"]).settings.teacher.model.folder == "/weights"


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
        (
            "students={v1.5: {use: distilbert}}",
            "a student's name has no dot, which `--set` reads as the step to the next",
        ),
        (
            "export=[{target: onnxruntime, precision: fp32}, {target: onnxruntime, precision: fp16}]",
            "export.1.target: an entry above builds the same target: join their precisions.",
        ),
        ("students.small.distill.losses.soft_label=0", "distill.losses.soft_label: `0` is not above 0.0;"),
        (
            "students.small.distill.losses.soft_label={from: 1}",
            "losses.soft_label.to: is missing. Its value at the last",
        ),
        (
            "students.small.distill.losses.soft_label={from: 1, to: 0, shap: cosine}",
            "soft_label.shap: no such key. Did you mean `shape`? Keys here: from, shape, to.",
        ),
        (
            "students.small.distill.losses.soft_label={from: 1, to: 1}",
            "soft_label: `from` and `to` are both 1. Give two",
        ),
        ("students.small.distill.temperature={from: -1, to: 1}", "distill.temperature.from: `-1` is below 0.0;"),
        ("students.small.distill.temperature={from: 4, to: 0}", "temperature: a temperature stays above 0."),
        ("students.small.distill.temperature=warm", "distill.temperature: `warm` is not a number."),
        ("students.small.distill.layer_mapping=[1, a]", "distill.layer_mapping.1: `a` is not a whole number."),
        ("students.small.distill.layer_mapping=dynamite", "no such layer mapping `dynamite`. Did you mean `dynamic`?"),
        ("students.small.start_layers=measure", "`measure` is not allowed. Did you mean `measured`?"),
        ("name=../x", "--set name: name: `../x` does not fit the pattern"),
        ("teacher.model={scratch: {architecture: {layers: 2}}}", "the architecture lacks hidden, heads, intermediate."),
        ("teacher.model={revision: x}", "give a `hub` id, a `folder`, a `package` or `scratch`."),
        ("students.small.distill.layer_mapping=explicit", "`explicit` needs the layers"),
        ("students.small.prune={}", "nothing to cut"),
        (
            "students.small.prune={blocks: true, heads: 0.5}",
            "`blocks` is for the search of a `target`, and none is given.",
        ),
        (
            "students.small.prune={heads: 0.5, target: {flops: 0.5}}",
            "students.small.prune.target: a target chooses the heads and neurons itself. Give it, or `heads` and `neurons`.",
        ),
        (
            "students.small.prune={heads: 0.5, between: {epochs: 1}}",
            "students.small.prune.between: is read with `steps` above 1. Leave it out, or give `steps`.",
        ),
        ("students.small.prune={hidden: 16, steps: 2}", "prune: `steps` are cuts of heads and neurons: give a share"),
        ("students.small.prune={target: {}}", "prune.target: give one of flops, parameters, size_mb, speedup."),
        ("students.small.prune={target: {flops: 0.5, parameters: 0.5}}", "parameters, size_mb, speedup, not 2."),
        ("students.small.prune={target: {flops: 50}}", "prune.target.flops: `50` is not below 1.0"),
        ("students.small.prune={target: {speedup: 1, on: x}}", "prune.target.speedup: `1` is not above 1.0"),
        ("students.small.prune={target: {speed: 3}}", "prune.target.speed: no such key. Did you mean `speedup`?"),
        (
            "students.small.prune={target: {speedup: 3}}",
            "prune.target: `speedup` needs `on`: the export it is measured on",
        ),
        (
            "students.small.prune={target: {flops: 0.5, batch: 2}}",
            "prune.target.batch: is not read with `flops`, only with speedup. Leave it out.",
        ),
        (
            "students.small.prune={target: {parameters: 0.5, on: onnxruntime-int8}}",
            "prune.target.on: is not read with `parameters`, only with size_mb and speedup. Leave it out.",
        ),
        (
            "task.type=text-clasification",
            "task.type: no such task `text-clasification`. Did you mean `text-classification`? Known: ",
        ),
        ("task.type=5", "task.type: `5` is not a text. The kind of task."),
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
    assert len(found) == 2
    assert found[0] == f"{card}:1: name: the card's file is called `distilbert`. Name both the same."
    assert found[1].startswith(f"{card}:4: architecture.layrs: no such key. Did you mean `layers`?")


def test_names_in_a_broken_card_are_looked_up_too_and_each_mistake_is_said_once(tmp_path: Path) -> None:
    text = "name: own\ntitle: x\nsource: x\narchitecture: {layers: no}\ndistill: {losses: {soft_lable: 1}}\n"
    card = written(tmp_path, text, "students/own.yaml")
    found = problems(written(tmp_path, GOOD.replace("use: distilbert", "use: own\n  other: {use: own, prun: {}}")))
    assert [line.split(": ")[:2] for line in found] == [
        ["pipeline.yaml:10", "students.other.prun"],
        [f"{card}:4", "architecture.layers"],
        [f"{card}:5", "students.small.distill.losses.soft_lable"],
        [f"{card}:5", "students.other.distill.losses.soft_lable"],
    ]


def test_an_assignment_changes_one_loss_of_the_card(tmp_path: Path) -> None:
    loaded = load(written(tmp_path), ["students.small.distill.losses.soft_label=3"])
    assert loaded.settings.students["small"].distill.losses == {"soft_label": 3, "hard_label": 2, "cosine": 1}


def test_an_assignment_selects_the_card_whose_losses_another_one_changes(tmp_path: Path) -> None:
    assignments = ["students.small.distill.losses.attention=0.5", "students.small.use=minilm-6"]
    student = load(written(tmp_path), assignments).settings.students["small"]
    assert student.architecture.hidden == 384
    assert student.distill.losses == {"hidden_state": 1, "attention": 0.5, "soft_label": 1}


def test_an_assignment_into_a_card_is_the_place_of_its_mistakes(tmp_path: Path) -> None:
    assignments = ["students.small.distill.losses.soft_lable=3", "teacher.model.sha256=x"]
    found = problems(written(tmp_path), *assignments)
    assert [line.split(": ")[0] for line in found] == [
        "--set students.small.distill.losses.soft_lable",
        "--set teacher.model.sha256",
    ]


def test_bad_assignments_of_both_kinds_are_reported_together(tmp_path: Path) -> None:
    found = problems(written(tmp_path), "seed", "name=X", "teacher.model.hub.id=x")
    assert [line.split(": ")[0] for line in found] == ["--set seed", "--set teacher.model.hub.id=x", "--set name"]


@pytest.mark.parametrize("given", ["architecture: {layers: 3}", "start: layers", "start_layers: [0]"])
def test_a_shape_beside_weights_of_its_own_is_a_mistake(tmp_path: Path, given: str) -> None:
    key = given.split(":")[0]
    where = f"pipeline.yaml:11: students.small.{key}: `{key}` has no effect beside `model`"
    text = GOOD.replace("use: distilbert", f"use: distilbert\n    model: {{hub: own/model}}\n    {given}")
    assert problems(written(tmp_path, text))[0].startswith(where)


def test_a_card_may_have_weights_of_its_own_or_a_shape(tmp_path: Path) -> None:
    card = "name: distilbert\ntitle: x\nsource: x\nmodel: {hub: own/model}\n"
    path = written(tmp_path, card, "students/distilbert.yaml")
    pipeline = written(tmp_path)
    assert load(pipeline).settings.students["small"].model is not None
    path.write_text(card + "architecture: {layers: 3}\n")
    where = f"{path}:5: architecture: `architecture` has no effect beside `model`"
    assert [line[: len(where)] for line in problems(pipeline)] == [where]
    path.write_text(card.replace("model: {hub: own/model}\n", ""))
    assert problems(pipeline) == [f"{path}:1: give an `architecture`, or a `model` with weights of its own."]


def test_a_model_in_the_file_takes_the_place_of_the_cards_shape(tmp_path: Path) -> None:
    loaded = load(written(tmp_path), ["students.small.model={hub: own/model}"])
    assert loaded.settings.students["small"].model is not None


def test_the_teacher_is_bert_large_if_none_is_named(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, GOOD.replace("teacher:\n  use: bert-base\n", "")))
    assert loaded.settings.teacher.use == "bert-large"
    loaded = load(written(tmp_path, GOOD.replace("use: bert-base", "train: {epochs: 1}")))
    assert (loaded.settings.teacher.use, loaded.settings.teacher.train.epochs) == ("bert-large", 1)


def test_more_than_a_person_writes_is_refused_at_once(tmp_path: Path) -> None:
    crowd = "".join(f"  s{number}: {{use: distilbert}}\n" for number in range(101))
    path = written(tmp_path, GOOD.replace("students:\n", f"students:\n{crowd}"))
    assert problems(path) == [
        "pipeline.yaml:7: students: 102 are too many; one pipeline has at most 100. Write several files."
    ]


def test_of_very_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    keys = "".join(f"key{number}: 1\n" for number in range(250))
    found = problems(written(tmp_path, GOOD + keys))
    assert len(found) == 201
    assert found[-1] == "pipeline.yaml:1: 50 more mistakes."
