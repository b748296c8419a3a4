"""Rows as a student and a teacher of other tokens read them."""

import copy
from pathlib import Path

import numpy as np
import pytest
import spelling
import torch

from compress.config import settings
from compress.errors import InputError
from compress.pruning.vocabulary import choose, shrunk
from compress.stages.context import Context
from compress.stages.lesson import Lesson, Reader, lesson
from compress.stages.transfer import transfer

FOREIGN = "students.tiny.distill.losses.{}: compares the inside of both models token by token"


def reader(kind: str, family: str) -> Reader:
    tokenizer = spelling.tokenizer(kind)
    return Reader(spelling.model(family, len(tokenizer)), tokenizer)


@pytest.fixture
def task(tmp_path: Path) -> settings.Task:
    lines = [f"{'ab'[number % 2]}\t{text}" for number, text in enumerate(spelling.TEXTS)]
    (tmp_path / "rows.tsv").write_text("label\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    data = settings.Data(train="rows.tsv", validation="rows.tsv")
    return settings.Task(type="text-classification", data=data, max_length=60)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context("distill/tiny", tmp_path, tmp_path, tmp_path, 0, lambda done, total, note: None)


def read_by(
    task: settings.Task, student: Reader, teacher: Reader, distill: settings.Distill, context: Context
) -> Lesson:
    return lesson(task, transfer(task, distill, None, context.root), student, teacher, distill, context)


def learns(*losses: str) -> settings.Distill:
    return settings.Distill(losses=dict.fromkeys(losses, 1.0))


def test_a_teacher_of_the_same_tokens_reads_the_students_rows(task: settings.Task, context: Context) -> None:
    read = read_by(task, reader("bert", "distilbert"), reader("bert", "bert"), learns("hidden_state"), context)
    assert read.heard is read.translate is None
    assert read.rows.types is not None  # the student takes none, but the teacher does
    read = read_by(task, reader("bert", "distilbert"), reader("bert", "distilbert"), learns("hidden_state"), context)
    assert read.rows.types is None


def test_where_only_answers_are_compared_each_reads_its_own_rows(task: settings.Task, context: Context) -> None:
    student, teacher = reader("roberta", "roberta"), reader("bert", "bert")
    read = read_by(task, student, teacher, learns("soft_label", "hard_label"), context)
    assert read.translate is None
    assert read.heard is not None
    assert read.heard.types is not None
    assert read.rows.types is None
    for row, text in enumerate(spelling.TEXTS):
        assert read.rows[row]["input_ids"] == student.tokenizer(text)["input_ids"]
        assert read.heard[row]["input_ids"] == teacher.tokenizer(text)["input_ids"]
    assert read_by(task, student, teacher, learns("hard_label"), context).heard is None


@pytest.mark.parametrize(
    ("student", "teacher"), [("xlnet", "bert"), ("bert", "xlnet"), ("xlnet", "xlnet"), ("bert", "bert")]
)
def test_each_has_its_rows_padded_on_its_own_side(
    student: str, teacher: str, task: settings.Task, context: Context
) -> None:
    tokens = "albert"  # the same ones: only the sides differ
    own, other = reader(tokens, student), reader(tokens, teacher)
    read = read_by(task, own, other, learns("soft_label"), context)
    heard = read.heard or read.rows
    sides = [one == "xlnet" for one in (student, teacher)]
    assert [read.rows.left, heard.left] == sides
    assert read.validation.left == sides[0]
    assert read.rows.part([1, 0]).left == sides[0]
    assert (read.heard is None) == (student == teacher)
    if student == teacher:
        read_by(task, own, other, learns("hidden_state"), context)
        return
    with pytest.raises(InputError, match=rf"tiny.distill.losses.hidden_state: a {student} student and a {teacher}"):
        read_by(task, own, other, learns("soft_label", "hidden_state"), context)


def test_the_inside_needs_tokens_that_the_teacher_has(task: settings.Task, context: Context) -> None:
    with pytest.raises(InputError) as caught:
        read_by(
            task,
            reader("roberta", "roberta"),
            reader("bert", "bert"),
            learns("attention", "logit_mse", "cosine"),
            context,
        )
    assert [
        str(problem).startswith(FOREIGN.format(loss))
        for problem, loss in zip(caught.value.problems, ("attention", "cosine"), strict=True)
    ] == [True, True]
    assert "soft_label" in str(caught.value)


def test_an_added_token_needs_its_like_in_the_teacher(task: settings.Task, context: Context) -> None:
    plain, tokenizer = reader("bert", "bert"), copy.deepcopy(spelling.tokenizer("bert"))
    tokenizer.add_tokens(["[NAME]"])
    more = Reader(spelling.model("bert", len(tokenizer)), tokenizer)
    with pytest.raises(InputError, match=FOREIGN.format("hidden_state")):
        read_by(task, more, plain, learns("hidden_state", "soft_label"), context)
    assert read_by(task, more, plain, learns("soft_label"), context).heard is not None
    read = read_by(task, plain, more, learns("hidden_state"), context)
    assert read.translate is not None
    assert read.translate.tolist() == list(range(len(plain.tokenizer)))


def test_a_phase_is_named(task: settings.Task, context: Context) -> None:
    phases = (settings.Phase(losses={"cosine": 1}), settings.Phase(epochs=1))
    with pytest.raises(InputError, match=r"^students\.tiny\.distill\.phases\.0\.losses\.cosine: "):
        read_by(task, reader("roberta", "roberta"), reader("bert", "bert"), settings.Distill(phases=phases), context)


def test_a_student_of_fewer_tokens_is_read_by_their_numbers(task: settings.Task, context: Context) -> None:
    teacher = reader("bert", "bert")
    kept = choose(teacher.tokenizer, np.zeros(0, np.int64), settings.KeptTokens())
    student = Reader(spelling.model("bert", len(kept)), shrunk(teacher.tokenizer, kept))
    read = read_by(task, student, teacher, learns("hidden_state", "soft_label"), context)
    assert read.translate is not None
    assert read.translate.tolist() == kept
    assert read.heard is not None
    assert torch.equal(read.translate[torch.from_numpy(read.rows.ids).long()].int(), torch.from_numpy(read.heard.ids))
    spelled = teacher.tokenizer.convert_ids_to_tokens(read.heard[0]["input_ids"])
    assert spelled == student.tokenizer.convert_ids_to_tokens(read.rows[0]["input_ids"])
    assert len(spelled) > len(teacher.tokenizer(spelling.TEXTS[0])["input_ids"])
    assert read.heard.pad_id == teacher.tokenizer.pad_token_id
    own = read_by(task, student, teacher, learns("soft_label"), context)
    assert own.translate is None
    assert own.heard is not None
    assert own.heard[0]["input_ids"] == teacher.tokenizer(spelling.TEXTS[0])["input_ids"]
