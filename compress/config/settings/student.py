"""The smaller models."""

from typing import Literal

from compress.config.group import Closed
from compress.config.layers import Start
from compress.config.settings.learning import Distill
from compress.config.settings.model import Architecture, Model
from compress.config.settings.prune import Prune


class StudentMaking(Closed):
    """How a student is made from its teacher: what a card says and a pipeline may override."""

    model: Model | None = None
    """Pretrained weights the student starts from, instead of the teacher's."""
    architecture: Architecture = Architecture()
    """The student's shape; what is left out is the teacher's. Weights of its own keep theirs."""
    start: Literal["auto", "layers", "pca", "random"] = "auto"
    """First weights: copied teacher layers, their PCA/SVD projection (narrower students), or random ones; `auto` fits the shape."""
    start_layers: Start | None = None
    """Teacher layers (from 0) the first weights are taken from; evenly spread if left out. `measured`: those that answer best as they are."""
    distill: Distill = Distill()
    """How it learns."""


class Student(StudentMaking):
    """A smaller model distilled from the teacher."""

    use: str
    """Name of a student card."""
    prune: Prune | None = None
    """What is cut out of it afterwards."""
