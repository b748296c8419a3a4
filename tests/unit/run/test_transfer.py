"""Rows beside the labelled ones: mistakes before the run, and which steps read them."""

import json
from pathlib import Path

import project
import pytest

from compress.config.pipeline import load
from compress.errors import InputError, NotAvailable
from compress.run import checks
from compress.run.plan import Plan
from compress.store import artifact, fingerprint

MORE = "task.data.unlabelled=more.txt"
AUGMENT = "augment={copies: 1}"


API = "teachers={api: {predictions: answers.jsonl}}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = project.write(tmp_path)
    (tmp_path / "more.txt").write_text("play a tune\nlights out\n")
    return made


def lm(folder: Path, **config: object) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"")
    return f"augment.masked_lm={{folder: {folder}}}"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["students.small.distill.data=[train, unlabelled]"], "distill.data.1: there are no such rows: the pipeline has no `task.data.unlabelled`."),
        (["students.small.distill.data=augmented"], "there are no such rows: the pipeline has no `augment`."),
        (["students.small.distill.data=[train, train]"], "students.small.distill.data.1: `train` is listed twice."),
        (["students.small.distill.data=[train, more]"], "`more` is not allowed. Give one of: train, unlabelled, augmented."),
        (["students.small.distill.data=[]"], "is empty; give at least one."),
        ([MORE, "students.small.distill.losses={hard_label: 1}"], "hard_label learns from labels alone, and the unlabelled rows have none. Give `data: [train]`"),
        ([AUGMENT, "students.small.distill={losses: {hard_label: 1}, data: [augmented]}"], "the augmented rows have none."),
        ([MORE, API, "students.small.distill.teachers={api: 1}"], "students.small.distill.teachers: `api` is a file of answers to the training rows, and this training reads unlabelled rows too. Give `data: [train]`"),
        (["augment.replace=0"], "augment.replace: `0` is not above 0"),
        (["augment={copies: 0}"], "augment: makes no rows: give `copies`, `joined` or both."),
        (["augment={copies: 0, joined: 5, replace: 0.5}"], "augment: `replace`, `candidates` and `masked_lm` say how words are replaced"),
        (["augment.joined=-1"], "augment.joined: `-1`"),
        (["augment.joined=5", "task.type=text-pair-classification", "task.text_pair=text"], "augment.joined: joins single texts, and a row of this task has two."),
        (["augment.copys=2"], "no such key. Did you mean `copies`?"),
        (["augment.masked_lm={scratch: {architecture: {layers: 1, hidden: 4, heads: 1, intermediate: 4}}}"], "a model of random weights proposes nothing."),
        (["augment.masked_lm={folder: nowhere}"], "augment.masked_lm: the model's weights are not here: there is no folder"),
        (["task.data.unlabelled=mor.txt"], "mor.txt: there is no file"),
    ],
)  # fmt: skip
def test_mistakes(path: Path, sets: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        checks.load(path, sets)
    assert any(message in str(problem) for problem in error.value.problems), error.value


def test_a_model_under_another_head_is_refused(path: Path, tmp_path: Path) -> None:
    wrong = lm(tmp_path / "encoder", model_type="bert", architectures=["BertModel"])
    with pytest.raises(
        InputError, match=r"augment\.masked_lm: .*encoder: holds a BertModel, which is no masked language"
    ):
        checks.load(path, [wrong])
    with pytest.raises(InputError, match="no such architecture `bart`"):
        checks.load(path, [lm(tmp_path / "bart", model_type="bart")])
    assert checks.load(path, [lm(tmp_path / "right", model_type="bert", architectures=["BertForMaskedLM"])])
    with pytest.raises(NotAvailable, match=r"augment\.masked_lm: .*`pip install no-such-weights`"):
        checks.load(path, ["augment.masked_lm={package: no_such_weights/model}"])


def test_what_students_do_not_use_is_noted(path: Path) -> None:
    assert list(checks.notes(checks.load(path, [MORE, AUGMENT]))) == []
    only = [f"students.{name}.distill.data=train" for name in ("small", "narrow")]
    assert list(checks.notes(checks.load(path, [MORE, AUGMENT, *only]))) == [
        "Note: task.data.unlabelled: no student's `distill.data` lists `unlabelled`, so it is not used.",
        "Note: augment: no student's `distill.data` lists `augmented`, so it is not used.",
    ]


def test_judged_rows_among_the_unlabelled_ones_are_noted(path: Path) -> None:
    text = (path.parent / "test.tsv").read_text().splitlines()[1].split("\t")[1]
    (path.parent / "more.txt").write_text(f"play a tune\n{text.upper()}\n")
    assert list(checks.notes(checks.load(path, [MORE]))) == [
        "Note: test.tsv: 1 row has a text of the unlabelled rows, which students learn from."
    ]


def done(path: Path, *sets: str) -> Plan:
    """A plan whose artifacts are all there, as if they had been made."""
    plan = Plan(load(path, sets))
    for step in plan.steps:
        parts = plan.parts(step)
        with artifact.create(plan.folder(step.name), step.name, parts, fingerprint.digest(parts)) as draft:
            (draft.folder / "content").write_text(step.name)
    return plan


def waiting(path: Path, *sets: str) -> dict[str, tuple[str, ...]]:
    """The steps that would run, and why."""
    return {item.step.name: item.reasons for item in Plan(load(path, sets)).items() if item.state == "run"}


def test_the_step_stands_behind_the_teacher_where_a_student_asks_for_it(path: Path) -> None:
    steps = {step.name: step for step in Plan(load(path, [AUGMENT, "students.narrow.distill.data=train"])).steps}
    assert [*steps][:3] == ["teacher", "augment", "distill/small"]
    assert "augment" in steps["distill/small"].needed
    assert "augment" in steps["prune/small"].needed
    assert "augment" in steps["report"].needed
    assert "augment" not in steps["distill/narrow"].needed
    nobody = [f"students.{name}.distill.data=train" for name in ("small", "narrow")]
    assert "augment" not in [step.name for step in Plan(load(path, [AUGMENT, *nobody])).steps]


def test_a_language_model_makes_the_step_independent_of_the_teacher(path: Path, tmp_path: Path) -> None:
    asked = lm(tmp_path / "lm", model_type="bert")
    step = next(step for step in Plan(load(path, [asked])).steps if step.name == "augment")
    assert step.needed == ()
    done(path, asked)
    (tmp_path / "lm" / "model.safetensors").write_bytes(b"other")
    assert waiting(path, asked) == {"augment": ("the pretrained weights of augment.masked_lm changed",)}


def test_joined_rows_need_no_teacher(path: Path) -> None:
    plan = Plan(load(path, ["augment={copies: 0, joined: 5}"]))
    assert next(step for step in plan.steps if step.name == "augment").needed == ()


def test_settings_and_rows_make_their_readers_run(path: Path) -> None:
    sets = [MORE, AUGMENT, "students.narrow.distill.data=[train]"]
    done(path, *sets)
    assert waiting(path, *sets) == {}
    changed = waiting(path, *sets, "augment.replace=0.2")
    assert changed == {"augment": ("augment.replace 0.4 -> 0.2, --set augment.replace",)}
    (path.parent / "more.txt").write_text("play another tune\n")
    assert waiting(path, *sets) == dict.fromkeys(
        ("distill/small", "prune/small", "measure"), ("the unlabelled rows changed",)
    )


def test_the_rows_of_a_student_are_its_own_setting(path: Path) -> None:
    sets = [MORE, AUGMENT]
    done(path, *sets)
    found = waiting(path, *sets, "students.small.distill.data=[train, augmented]")
    assert [*found] == ["distill/small", "prune/small"]
    assert (
        'students.small.distill.data null -> ["train", "augmented"], --set students.small.distill.data'
        in found["distill/small"]
    )
