"""Every card is valid, its name is its file's, its index is up to date, and a wheel would hold it."""

import os
import tomllib
from pathlib import Path

import pytest

from compress.config import catalogue
from compress.config.cards import StudentCard, TeacherCard
from compress.config.pipeline import load_card

ROOT = Path(__file__).parents[2]
TEACHERS = sorted((ROOT / "teachers").glob("*.yaml"))
STUDENTS = sorted((ROOT / "students").glob("*.yaml"))


@pytest.mark.parametrize("path", TEACHERS, ids=lambda path: path.stem)
def test_teacher_cards_are_valid(path: Path) -> None:
    _, card = load_card(TeacherCard, path)
    shape = card.architecture
    assert None not in (shape.layers, shape.hidden, shape.heads, shape.intermediate)
    assert "arXiv" in card.source
    assert "section" in card.source


@pytest.mark.parametrize("path", STUDENTS, ids=lambda path: path.stem)
def test_student_cards_are_valid(path: Path) -> None:
    _, card = load_card(StudentCard, path)
    assert card.architecture.layers is not None
    assert "section" in card.source


def test_the_promised_cards_are_there() -> None:
    teachers = {
        "bert-large",
        "bert-base",
        "roberta-large",
        "electra-large",
        "albert-xxlarge",
        "bert-base-chinese",
        "macbert-large-chinese",
    }
    assert teachers <= set(catalogue.cards("teachers", ROOT / "nowhere"))
    assert {"distilbert", "tinybert-4", "tinybert-6", "minilm-6"} <= set(catalogue.cards("students", ROOT / "nowhere"))


@pytest.mark.parametrize("kind", ["teachers", "students"])
def test_the_index_is_up_to_date(kind: catalogue.Kind) -> None:
    path = ROOT / kind / "README.md"
    wanted = catalogue.index(kind, ROOT)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(wanted, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == wanted, "run `UPDATE_GOLDEN=1 pytest tests/house` to write it anew"


def test_the_wheel_takes_the_cards_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"teachers": "compress/_catalogue/teachers", "students": "compress/_catalogue/students"}


def test_a_projects_card_comes_first(tmp_path: Path) -> None:
    (tmp_path / "students").mkdir()
    (tmp_path / "students" / "distilbert.yaml").write_text("name: distilbert\n")
    assert catalogue.card("students", "distilbert", tmp_path) == tmp_path / "students" / "distilbert.yaml"
