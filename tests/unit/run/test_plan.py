"""What would run, and why."""

from collections.abc import Iterable
from pathlib import Path

import plugin
import project
import pytest

from compress.config.pipeline import load
from compress.errors import InputError
from compress.registry import TARGETS
from compress.run.plan import Plan
from compress.store import artifact, fingerprint, seal
from compress.targets.onnxruntime import OnnxRuntime

STEPS = [
    "teacher",
    "distill/small",
    "prune/small",
    "distill/narrow",
    "export/teacher/onnxruntime",
    "export/small/onnxruntime",
    "export/narrow/onnxruntime",
    "measure",
    "report",
]


def planned(folder: Path, *sets: str) -> Plan:
    return Plan(load(folder / "pipeline.yaml", sets))


def make(plan: Plan, names: Iterable[str] = STEPS) -> None:
    """Pretend that steps ran: their artifacts hold their own names."""
    for step in plan.steps:
        if step.name in names:
            parts = plan.parts(step)
            with artifact.create(plan.folder(step.name), step.name, parts, fingerprint.digest(parts)) as draft:
                (draft.folder / "content").write_text(step.name)


def states(plan: Plan) -> dict[str, str]:
    return {item.step.name: item.state for item in plan.items()}


def reasons(plan: Plan, name: str) -> tuple[str, ...]:
    return next(item.reasons for item in plan.items() if item.step.name == name)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    project.write(tmp_path)
    make(planned(tmp_path))
    return tmp_path


def test_the_steps_come_in_order(tmp_path: Path) -> None:
    project.write(tmp_path)
    assert [step.name for step in planned(tmp_path).steps] == STEPS
    assert set(states(planned(tmp_path)).values()) == {"run"}


def test_nothing_runs_when_everything_is_there(done: Path) -> None:
    assert set(states(planned(done)).values()) == {"fresh"}


def test_a_setting_is_named_with_both_values_and_its_place(done: Path) -> None:
    card = done / "students" / "thin.yaml"
    card.write_text(card.read_text().replace("epochs: 1", "epochs: 1, temperature: 4"))
    plan = planned(done)
    assert reasons(plan, "distill/narrow") == (f"students.narrow.distill.temperature 2.0 -> 4.0, {card}:5",)
    found = states(plan)
    assert [name for name, state in found.items() if state == "run"] == ["distill/narrow"]
    assert [name for name, state in found.items() if state == "later"] == [
        "export/narrow/onnxruntime",
        "measure",
        "report",
    ]


def test_a_setting_from_the_command_line_is_named_so(done: Path) -> None:
    plan = planned(done, "students.small.prune.heads=0.25")
    assert reasons(plan, "prune/small") == ("students.small.prune.heads 0.5 -> 0.25, --set students.small.prune.heads",)
    assert states(plan)["distill/small"] == "fresh"


@pytest.mark.parametrize(("split", "first"), [("train", "teacher"), ("dev", "teacher"), ("test", "measure")])
def test_changed_rows_make_their_readers_run(done: Path, split: str, first: str) -> None:
    path = done / f"{split}.tsv"
    path.write_text(path.read_text() + "light\tone more lamp\n")
    found = states(planned(done))
    assert next(name for name, state in found.items() if state == "run") == first


@pytest.mark.parametrize(
    ("assignment", "first"),
    [
        ("measure.columns=[room]", "report"),
        ("measure.shown_rows=0", "report"),
        ("measure.rounds=4", "measure"),
        ("measure.batch=2", "measure"),
        ("measure.sequence=4", "measure"),
        ("measure.threads=2", "measure"),
    ],
)
def test_what_the_report_tells_of_rows_is_not_measured_anew(done: Path, assignment: str, first: str) -> None:
    found = states(planned(done, assignment))
    assert next(name for name, state in found.items() if state == "run") == first


def test_changed_code_and_versions_are_named(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(done)
    real = fingerprint.code
    monkeypatch.setattr(
        fingerprint,
        "code",
        lambda modules: {
            key: "other" if key == "code.compress.losses.attention" else value for key, value in real(modules).items()
        },
    )
    assert reasons(plan, "distill/narrow") == ("the code of compress.losses.attention changed",)
    assert states(plan)["distill/small"] == "fresh"
    monkeypatch.undo()
    versions = fingerprint.versions
    monkeypatch.setattr(fingerprint, "versions", lambda packages: {**versions(packages), "version.torch": "9.9"})
    assert any(reason.startswith("torch 2.") and reason.endswith("-> 9.9") for reason in reasons(plan, "teacher"))


def test_a_changed_script_is_copied_anew(done: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "_predict_onnxruntime.py"
    script.write_text("print('other')\n")
    monkeypatch.setattr(OnnxRuntime, "predict", script)
    plan = planned(done)
    assert reasons(plan, "export/small/onnxruntime") == ("the code of _predict_onnxruntime.py changed",)


def test_a_damaged_artifact_is_made_again(done: Path) -> None:
    plan = planned(done)
    (plan.folder("distill/small") / "content").write_text("torn")
    assert states(plan)["distill/small"] == "run"
    assert "bytes, not" in reasons(plan, "distill/small")[0]


def test_a_stage_that_comes_out_the_same_leaves_the_rest_fresh(done: Path) -> None:
    plan = planned(done, "students.small.distill.epochs=5")
    make(plan, ["distill/small"])
    assert set(states(plan).values()) == {"fresh"}


def test_until_takes_what_its_step_needs(tmp_path: Path) -> None:
    project.write(tmp_path)
    plan = planned(tmp_path)
    assert [step.name for step in plan.selected(until="prune/small")] == STEPS[:3]
    assert [step.name for step in plan.selected(until="export")] == STEPS[:7]
    with pytest.raises(InputError, match=r"--until prun: no such step `prun`. Did you mean `prune`\?"):
        plan.selected(until="prun")


@pytest.mark.parametrize(
    ("start", "until", "expected"),
    [
        ("prune", None, {"prune/small", "export/small/onnxruntime", "measure", "report"}),
        ("distill/small", "export", {"distill/small", "prune/small", "export/small/onnxruntime"}),
        ("distill", "distill/narrow", {"distill/narrow"}),
        ("teacher", "prune", {"teacher", "distill/small", "prune/small"}),
        (None, None, set()),
    ],
)
def test_from_makes_a_step_and_its_readers_run_though_they_are_fresh(
    done: Path, start: str | None, until: str | None, expected: set[str]
) -> None:
    plan = planned(done)
    chosen = plan.selected(start, until)
    items = plan.items(chosen, plan.forced(chosen, start))
    assert {item.step.name for item in items if item.state == "run"} == expected
    assert {item.reasons for item in items if item.state == "run"} <= {("asked for by --from",)}
    assert {item.state for item in items if item.step.name not in expected} <= {"fresh"}


def test_a_new_export_does_not_disturb_the_others(done: Path) -> None:
    text = (done / "pipeline.yaml").read_text()
    (done / "pipeline.yaml").write_text(text.replace("export:\n", "export:\n  - {target: pytorch, precision: fp32}\n"))
    found = states(planned(done))
    assert found["export/small/onnxruntime"] == "fresh"
    assert found["export/small/pytorch"] == "run"


def test_the_teacher_is_its_own_export_to_pytorch(tmp_path: Path) -> None:
    project.write(tmp_path)
    plan = planned(tmp_path, "export=[{target: pytorch, precision: fp32}, {target: onnxruntime, precision: fp32}]")
    exports = {name for step in plan.steps if step.name == "measure" for name in step.inputs["exports"]}
    students = {f"export/{name}/{target}" for name in ("small", "narrow") for target in ("pytorch", "onnxruntime")}
    assert exports == {*students, "export/teacher/onnxruntime"}


@pytest.mark.parametrize(("start", "until"), [("report", "teacher"), ("distill/small", "distill/narrow")])
def test_from_that_until_does_not_read_is_refused(done: Path, start: str, until: str) -> None:
    with pytest.raises(InputError, match=f"--from {start}: --until {until} does not read it, so it would not run"):
        planned(done).selected(start, until)


def test_a_changed_baseline_makes_the_report_again(done: Path) -> None:
    (done / "base.json").write_text("one")
    plan = planned(done, "gate.baseline=base.json")
    make(plan, ["report"])
    assert states(plan)["report"] == "fresh"
    (done / "base.json").write_text("two")
    assert states(planned(done, "gate.baseline=base.json"))["report"] == "run"


def test_more_checkpoints_change_no_result(done: Path) -> None:
    assert set(states(planned(done, "teacher.train.checkpoint_steps=2")).values()) == {"fresh"}


@pytest.mark.parametrize(("recipe", "state"), [("dynamic", "fresh"), ("static_qdq", "run")])
def test_calibration_rows_count_where_a_recipe_calibrates(tmp_path: Path, recipe: str, state: str) -> None:
    project.write(tmp_path)
    asked = f"export.0.recipe={recipe}"
    plan = planned(tmp_path, asked)
    make(plan, [step.name for step in plan.steps])
    assert set(states(planned(tmp_path, asked)).values()) == {"fresh"}
    found = states(planned(tmp_path, asked, "export.0.calibration_rows=7"))
    assert found[f"export/small/onnxruntime-{recipe}"] == state
    assert found["export/teacher/onnxruntime"] == "fresh"


def test_a_cut_to_a_speed_holds_on_one_machine_and_runtime(tmp_path: Path) -> None:
    project.write(tmp_path)
    target = "students.small.prune={target: {speedup: 2, on: onnxruntime-int8-static_qdq}}"
    timed, counted = (
        next(step for step in plan.steps if step.name == "prune/small")
        for plan in (planned(tmp_path, target), planned(tmp_path, "students.small.prune={target: {flops: 0.5}}"))
    )
    assert (timed.machine, counted.machine) == (True, False)
    assert "onnxruntime" in timed.packages
    assert {"compress.targets.onnxruntime", "compress.quantization.static_qdq"} <= set(timed.plugins)
    assert "machine" in planned(tmp_path, target).parts(timed)


def test_an_export_whose_fastest_settings_are_timed_holds_on_one_machine(tmp_path: Path) -> None:
    project.write(tmp_path)
    plan = planned(
        tmp_path, "export=[{target: onnxruntime, precision: int8}, {target: onnxruntime-mobile, precision: int8}]"
    )
    found = {step.name: "machine" in plan.parts(step) for step in plan.steps}
    assert found["export/small/onnxruntime"]
    assert not found["export/small/onnxruntime-mobile"]


def test_all_code_that_makes_numbers_counts(tmp_path: Path) -> None:
    project.write(tmp_path)
    plan = planned(tmp_path, "export.0.recipe=static_qdq")
    steps = {step.name: plan.parts(step) for step in plan.steps}
    export = steps["export/small/onnxruntime-static_qdq"]
    assert {f"code.compress.quantization.{name}" for name in ("fp16", "static_qdq")} <= set(export)
    assert "code.compress.targets.pytorch" in export
    assert "code.compress.metrics.mcc" in steps["measure"]
    assert "export/teacher/onnxruntime" in [name.replace("-static_qdq", "") for name in steps]


def test_a_damaged_manifest_is_no_artifact(done: Path) -> None:
    path = done / "runs" / "demo" / "teacher" / "manifest.json"
    seal.write(path, {**seal.content(path), "files": []})
    assert states(planned(done))["teacher"] == "run"
    assert reasons(planned(done), "teacher") == (f"damaged: {path}: not a manifest of this program.",)
    path.write_text("{")
    assert reasons(planned(done), "teacher")[0].startswith(f"damaged: {path}:1: not JSON: ")
    path.unlink()
    assert reasons(planned(done), "teacher") == ("not made yet",)


def test_a_manifest_that_leads_out_of_its_folder_is_damaged(done: Path) -> None:
    path = done / "runs" / "demo" / "teacher" / "manifest.json"
    told = seal.content(path)
    seal.write(path, {**told, "files": {f"../{name}": facts for name, facts in told["files"].items()}})
    assert reasons(planned(done), "teacher")[0].startswith("damaged: ../content: leads out of ")


def test_a_targets_own_recipe_that_is_not_marked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write(tmp_path)
    modules = {"acme_plain.py": "def plain(graph, out, calibration):\n    pass\n"}
    plugin.install(monkeypatch, tmp_path / "kit", "[compress.quantization]\nplain = acme_plain:plain\n", modules)
    precisions = {"fp32": None, "fp16": "fp16", "int8": "plain"}
    monkeypatch.setattr(type(TARGETS.load("onnxruntime")), "precisions", precisions)
    with pytest.raises(InputError, match="recipe `plain` of acme_plain:plain has no `calibrates`"):
        Plan(load(path))


def test_further_teachers_come_before_the_students_that_learn_from_them(tmp_path: Path) -> None:
    project.write(tmp_path)
    teachers = "teachers={unread: {use: own}, big: {use: own}, api: {predictions: api.jsonl}}"
    plan = planned(tmp_path, teachers, "students.small.distill.phases=[{}, {teachers: {big: 1, api: 1}}]")
    assert [step.name for step in plan.steps][:4] == ["teacher", "teachers/big", "distill/small", "prune/small"]
    needed = {step.name: step.needed for step in plan.steps}
    assert needed["distill/small"] == ("teacher", "teachers/big")
    assert set(needed["prune/small"]) == {"teacher", "teachers/big", "distill/small"}
    assert needed["distill/narrow"] == ("teacher",)


def test_a_file_of_answers_counts_where_it_is_read(tmp_path: Path) -> None:
    project.write(tmp_path)
    sets = ["teachers={api: {predictions: api.jsonl}}", "students.small.distill.teachers={api: 1}"]
    (tmp_path / "api.jsonl").write_text("1")
    make(planned(tmp_path, *sets))
    (tmp_path / "api.jsonl").write_text("2")
    plan = planned(tmp_path, *sets)
    assert reasons(plan, "distill/small") == ("the file of teachers.api.predictions changed",)
    assert reasons(plan, "prune/small") == ("the file of teachers.api.predictions changed",)
    assert states(plan)["distill/narrow"] == "fresh"


def test_each_key_of_a_phase_counts_by_itself(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    path.write_text(
        path.read_text().replace(
            "    use: thin\n",
            "    use: thin\n    distill:\n      phases:\n        - {losses: {hidden_state: 1}}\n        - {losses: {cosine: 1}, epochs: 1}\n",
        )
    )
    make(planned(tmp_path))
    plan = planned(tmp_path)
    assert set(states(plan).values()) == {"fresh"}
    assert "compress.losses.cosine" in next(step for step in plan.steps if step.name == "distill/narrow").plugins
    path.write_text(path.read_text().replace("epochs: 1}", "epochs: 2, checkpoint_steps: 3}"))
    line = path.read_text().splitlines().index("        - {losses: {cosine: 1}, epochs: 2, checkpoint_steps: 3}") + 1
    expected = f"students.narrow.distill.phases.1.epochs 1.0 -> 2.0, {path}:{line}"
    assert reasons(planned(tmp_path), "distill/narrow") == (expected,)


def test_the_recovery_is_done_anew_if_the_student_rounds(done: Path) -> None:
    sets = ["students.small.distill.fake_quantize=int8"]
    make(planned(done, *sets), ["distill/small"])  # which comes out the same
    assert 'students.small.distill.fake_quantize false -> "int8"' in reasons(planned(done, *sets), "prune/small")[0]
    sets.append("students.small.prune.recover={fake_quantize: false}")
    assert len(reasons(planned(done, *sets), "prune/small")) == 2


@pytest.mark.parametrize(("more", "rows"), [("heads: 0.5", False), ("hidden: 16", True), ("vocabulary: {}", True)])
def test_a_cut_that_nothing_is_trained_after_reads_no_teacher(more: str, rows: bool, tmp_path: Path) -> None:
    project.write(tmp_path)
    (tmp_path / "more.txt").write_text("play a tune\n")
    asked = f"students.small.prune={{recover: false, {more}}}"
    sets = [asked, "task.data.unlabelled=more.txt", "augment={copies: 1}", "students.small.distill.phases=[{}, {}]"]
    step = next(step for step in planned(tmp_path, *sets).steps if step.name == "prune/small")
    assert set(step.needed) == {"distill/small", *(["augment"] if rows else [])}
    assert ("unlabelled" in step.splits) is rows
    assert ("validation" in step.splits) is ("vocabulary" in more)
    assert ("compress.importance.fisher" in step.plugins) is ("heads" in more)
    assert not any(".losses." in name or ".mappings." in name for name in step.plugins)
    make(planned(tmp_path, *sets), [*STEPS, "augment"])
    changed = planned(tmp_path, *sets, "students.small.distill.temperature=3", "teacher.train.epochs=1")
    make(changed, ["teacher", "augment", "distill/small"])  # which come out the same
    assert states(changed)["prune/small"] == "fresh"
    fewer = planned(tmp_path, *sets, "students.small.distill.phases=[{}, {data: [train]}]")
    make(fewer, ["distill/small"])
    assert (states(fewer)["prune/small"] == "run") is rows


def test_training_between_cuts_reads_the_teacher(tmp_path: Path) -> None:
    project.write(tmp_path)
    plan = planned(tmp_path, "students.small.prune={recover: false, heads: 0.5, steps: 2}")
    assert "teacher" in next(step for step in plan.steps if step.name == "prune/small").needed


def test_a_programs_code_counts_where_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(tmp_path)
    plugin.install(
        monkeypatch, tmp_path / "kit", "[compress.teachers]\nx = acme.x:answer\n", {"acme/x.py": "answer = None\n"}
    )
    sets = ["teachers={api: {call: x}}", "students.small.distill.teachers={api: 1}"]
    steps = {step.name: step.plugins for step in planned(tmp_path, *sets).steps}
    assert "acme.x" in steps["distill/small"]
    assert "acme.x" in steps["prune/small"]
    assert "acme.x" not in steps["distill/narrow"]
