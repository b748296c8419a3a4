"""A shape is refused before the run exactly where a stage would refuse it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForSequenceClassification

from compress.config.pipeline import Draft
from compress.config.settings import Prune, Student
from compress.config.source import Document
from compress.data.batches import Encoded
from compress.encoders import checkpoint
from compress.encoders.families import FAMILIES
from compress.encoders.initialize import first_weights
from compress.encoders.reduction import factored, narrowed
from compress.encoders.start import evenly
from compress.encoders.surgery import Masks
from compress.encoders.widths import calls, configured, shape_of
from compress.errors import CompressError
from compress.run import shapes
from compress.training.matching import Matching
from compress.training.objective import Distillation
from compress.training.subsets import measured

ROW = Encoded(ids=np.arange(5, 11, dtype=np.int32), types=None, starts=np.array([0, 6]), labels=np.array([1]), pad_id=0)

STUDENTS: list[dict[str, Any]] = [
    {},
    {"architecture": {"layers": 1}},
    {"architecture": {"layers": 3}, "distill": {"layer_mapping": "last"}},
    {"architecture": {"layers": 1}, "distill": {"layer_mapping": [1]}},
    {"architecture": {"layers": 1}, "distill": {"layer_mapping": [2]}},
    {"architecture": {"layers": 1}, "distill": {"layer_mapping": [0, 1]}},
    {"architecture": {"layers": 3}, "distill": {"layer_mapping": "first"}},
    {"architecture": {"layers": 3}, "distill": {"layer_mapping": "dynamic"}},
    {"architecture": {"layers": 1}, "distill": {"layer_mapping": "emd"}},
    {"architecture": {"layers": 2}, "distill": {"layer_mapping": [None, 1]}},
    {"architecture": {"layers": 2}, "distill": {"layer_mapping": [None, None]}},
    {"architecture": {"layers": 1}, "distill": {"layer_mapping": "start"}},
    {"architecture": {"layers": 1}, "start": "random", "distill": {"layer_mapping": "start"}},
    {"architecture": {"layers": 1}, "start_layers": "measured", "distill": {"layer_mapping": "start"}},
    {"architecture": {"layers": 3}, "start_layers": "measured"},
    {"distill": {"losses": {"minilm_relation": 1}, "relation_heads": 8}},
    {"distill": {"losses": {"minilm_relation": 1}, "relation_heads": 12}},
    {"architecture": {"hidden": 24}, "distill": {"losses": {"minilm_relation": 1}, "relation_heads": 16}},
    {"architecture": {"layers": 1}, "start_layers": [0]},
    {"architecture": {"layers": 1}, "start_layers": [1]},
    {"start_layers": [1, 0]},
    {"architecture": {"layers": 1}, "start": "pca"},
    {"architecture": {"layers": 1}, "start_layers": [2]},
    {"architecture": {"layers": 1}, "start_layers": [0, 1]},
    {"architecture": {"hidden": 16}},
    {"architecture": {"hidden": 24, "heads": 3}},
    {"architecture": {"heads": 2}, "start": "pca"},
    {"architecture": {"hidden": 18}},
    {"architecture": {"hidden": 20}, "start": "random"},
    {"architecture": {"heads": 5}},
    {"architecture": {"hidden": 16}, "start": "layers"},
    {"architecture": {"heads": 2}, "start": "layers"},
    {"architecture": {"intermediate": 32}, "start": "layers"},
    {"architecture": {"heads": 8, "intermediate": 96}, "start": "pca"},
    {"architecture": {"hidden": 64}},
    {"architecture": {"hidden": 64}, "start": "layers"},
    {"architecture": {"hidden": 64}, "start": "random"},
    {"architecture": {"layers": 1}, "distill": {"losses": {"attention": 1}}},
    {"architecture": {"layers": 1}, "distill": {"losses": {"soft_label": 1, "minilm_relation": 1}}},
    {"architecture": {"layers": 1}, "distill": {"losses": {"hidden_state": 1, "embedding": 1, "pkd": 1, "rkd": 1}}},
    {"architecture": {"layers": 1}, "prune": {"heads": 0.5}},
    *({"architecture": {"layers": 1}, "prune": {"embedding_rank": rank}} for rank in (15, 16, 31, 32)),
    *({"architecture": {"layers": 1}, "prune": {"hidden": 24, "embedding_rank": rank}} for rank in (15, 16, 23, 24)),
    {"architecture": {"layers": 1}, "prune": {"hidden": 32}},
    {"architecture": {"layers": 1, "hidden": 24}, "prune": {"embedding_rank": 24}},
]


def smaller(student: Any, asked: Prune) -> None:
    """The student in the widths that are asked for."""
    batches = [tiny.batch(student)]
    if asked.hidden is not None:
        student = narrowed(student, asked.hidden, batches)
    if asked.embedding_rank is not None:
        factored(student, asked.embedding_rank, torch.ones(student.config.vocab_size), batches)


def runs(student: Student, teacher: Any) -> bool:
    """Whether the stage makes the student."""
    try:
        deep = calls(teacher.config)
        count = student.architecture.layers or deep
        layers = student.start_layers or evenly(count, deep)
        if layers == "measured":
            layers = measured(teacher, ROW, count, precision="fp32")[0].layers
        config = configured(teacher.config, student.architecture, None if student.start == "random" else layers)
        made = AutoModelForSequenceClassification.from_config(config)
        own, whole = shape_of(config), shape_of(teacher.config)
        same = (own.hidden, own.heads[0], own.intermediate[0]) == (whole.hidden, whole.heads[0], whole.intermediate[0])
        start = student.start if student.start != "auto" else "layers" if same else "pca"
        first_weights(made, teacher, start=start, layers=layers, batches=[tiny.batch(teacher)])
        made.eval()(**tiny.batch(made))
        how = student.distill
        if how.layer_mapping == "start" and start != "random":
            how = how.model_copy(update={"layer_mapping": layers})
        Matching(how.layer_mapping, own.layers, whole.layers)
        Distillation(made, teacher, how)
        if student.prune is not None:
            Masks.full(made)
            smaller(made, student.prune)
    except CompressError:
        return False
    return True


def agree(teacher: Any, students: list[dict[str, Any]], folder: Path) -> None:
    checkpoint.save(teacher, folder)
    answers = []
    for given in students:
        model = {"use": "x", "model": {"folder": str(folder)}}
        draft = Draft(
            folder / "pipeline.yaml", Document({"teacher": model, "students": {"small": {"use": "x", **given}}})
        )
        student = draft.part(Student, ("students", "small"))
        assert student is not None
        answers.append((given, not list(shapes.problems(draft)), runs(student, teacher)))
    assert [(given, checked) for given, checked, ran in answers if checked != ran] == []
    assert {checked for _, checked, _ in answers} == {True, False}


@pytest.mark.parametrize("family", FAMILIES)
def test_checks_and_stages_agree(family: str, tmp_path: Path) -> None:
    agree(tiny.model(family), STUDENTS, tmp_path)


@pytest.mark.parametrize(
    ("family", "width"),
    [(name, 32) for name, row in FAMILIES.items() if row.embedding_key]
    + [(name, width) for name, row in FAMILIES.items() if row.spare_embedding_key for width in (16, 32, 48)],
)
def test_embeddings_of_a_width_of_their_own_follow_the_hidden_states_or_stay(
    family: str, width: int, tmp_path: Path
) -> None:
    config = tiny.model(family).config
    config.embedding_size = width
    teacher = AutoModelForSequenceClassification.from_config(config).eval()
    agree(teacher, [one for one in STUDENTS if "prune" in one], tmp_path)
