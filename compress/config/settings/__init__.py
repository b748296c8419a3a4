"""What a pipeline file and a card may say. Every model is closed (no unknown keys) and frozen.

A field's description is its documentation: `compress check --schema` and the reference page are made from it.
"""

from typing import Annotated

from pydantic import Field

from compress.config.group import Closed
from compress.config.settings.augment import Augment
from compress.config.settings.export import Export, Measure
from compress.config.settings.gate import (
    AccuracyGate,
    CalibrationGate,
    FidelityGate,
    Gate,
    LatencyGate,
    SizeGate,
    SliceGate,
)
from compress.config.settings.learning import (
    Cache,
    Distill,
    Learning,
    Origin,
    Phase,
    Train,
    declared,
)
from compress.config.settings.model import Architecture, Model, Scratch, Vocabulary
from compress.config.settings.names import MAIN, Name, StudentName, TeacherName
from compress.config.settings.prune import KeptTokens, Prune, Target
from compress.config.settings.student import Student, StudentMaking
from compress.config.settings.task import Data, Reading, Task
from compress.config.settings.teacher import FurtherTeacher, Teacher

__all__ = [
    "MAIN",
    "AccuracyGate",
    "Architecture",
    "Augment",
    "Cache",
    "CalibrationGate",
    "Data",
    "Distill",
    "Export",
    "FidelityGate",
    "FurtherTeacher",
    "Gate",
    "KeptTokens",
    "LatencyGate",
    "Learning",
    "Measure",
    "Model",
    "Name",
    "Origin",
    "Phase",
    "Pipeline",
    "Prune",
    "Reading",
    "Scratch",
    "SizeGate",
    "SliceGate",
    "Student",
    "StudentMaking",
    "Target",
    "Task",
    "Teacher",
    "Train",
    "Vocabulary",
    "declared",
]


class Pipeline(Closed):
    """A whole pipeline file, its cards filled in."""

    name: Name
    """Name of the run: its folder below `runs/` and its report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of everything random."""
    task: Task
    """What the models are to do."""
    teacher: Teacher
    """The model the students learn from."""
    teachers: dict[TeacherName, FurtherTeacher] = {}
    """Further teachers by name, for students whose `distill.teachers` lists them."""
    augment: Augment | None = None
    """New rows for students to learn from; none are made if left out."""
    students: Annotated[dict[StudentName, Student], Field(min_length=1)]
    """The smaller models, by name."""
    export: tuple[Export, ...] = ()
    """Deployment targets; the teacher is exported too, in float, to compare with (for `pytorch` it is measured as it is)."""
    measure: Measure = Measure()
    """What is timed."""
    gate: Gate = Gate()
    """What must hold."""
    tensorboard: bool = False
    """Write training curves for TensorBoard to `runs/NAME/tensorboard`."""
