"""Every card's shape can be built: teachers as they are named, students from each teacher of their widths' kind."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedConfig

from compress.config import catalogue
from compress.config.cards import StudentCard, TeacherCard
from compress.config.pipeline import load_card
from compress.encoders.checkpoint import parameters
from compress.encoders.families import FAMILIES
from compress.encoders.widths import configured, shape_of

NOWHERE = Path("nowhere")
TEACHERS = catalogue.cards("teachers", NOWHERE)
STUDENTS = catalogue.cards("students", NOWHERE)


def config_of(card: TeacherCard) -> PreTrainedConfig:
    from transformers import AutoConfig

    row, shape = FAMILIES[card.family], card.architecture
    keys = {
        row.layers_key: shape.layers,
        row.hidden_key: shape.hidden,
        row.heads_key: shape.heads,
        row.intermediate_key: shape.intermediate,
    }
    return AutoConfig.for_model(row.model_type, **keys, **dict((*row.states, *row.usual)))


@pytest.mark.parametrize("name", TEACHERS)
def test_teachers_have_a_family_and_a_shape_that_can_be_built(name: str) -> None:
    _, card = load_card(TeacherCard, TEACHERS[name])
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config_of(card))
    shape = card.architecture
    assert shape_of(model.config)[:2] == (shape.layers, shape.hidden)
    assert parameters(model) > 1e7


@pytest.mark.parametrize("name", STUDENTS)
def test_students_can_be_built_from_teachers(name: str) -> None:
    _, card = load_card(StudentCard, STUDENTS[name])
    for teacher in ("bert-base", "bert-large", "minilm-l6"):
        whole = config_of(load_card(TeacherCard, TEACHERS[teacher])[1])
        with torch.device("meta"):
            student = AutoModelForSequenceClassification.from_config(configured(whole, card.architecture))
        found, asked = shape_of(student.config), card.architecture
        assert found.layers == asked.layers
        assert found.hidden == (asked.hidden or shape_of(whole).hidden)
        assert set(found.heads) == {asked.heads or shape_of(whole).heads[0]}
