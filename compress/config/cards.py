"""What a card of `teachers/` or `students/` may say."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from compress.config.settings import Architecture, Distill, Model, Name, Settings, Train


class TeacherCard(Settings):
    """A file of `teachers/`."""

    name: Name
    """The card's name; the file is called so too."""
    title: str
    """One line for the index."""
    source: str
    """Paper and section the model comes from."""
    license: str
    """SPDX identifier of the weights' licence."""
    language: str
    """Language code of its text, or `any`."""
    model: Model
    """Where the weights come from."""
    family: str
    """Architecture family: a row of `compress/encoders/families.py`."""
    architecture: Architecture
    """The shape of the encoder, for the index."""
    train: Train = Train()
    """How it is fine-tuned unless a pipeline says otherwise."""


class StudentCard(Settings):
    """A file of `students/`."""

    name: Name
    """The card's name; the file is called so too."""
    title: str
    """One line for the index."""
    source: str
    """Paper and section the shape and the training come from."""
    model: Model | None = None
    """Pretrained weights the student starts from, if the method uses some."""
    architecture: Architecture = Architecture()
    """The student's shape; what is left out is the teacher's. Weights of its own keep theirs."""
    start: Literal["auto", "layers", "pca", "random"] = "auto"
    """How its first weights are made."""
    start_layers: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Teacher layers the first weights are taken from."""
    distill: Distill = Distill()
    """How it learns unless a pipeline says otherwise."""

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        if self.model is None and "architecture" not in self.model_fields_set:
            raise ValueError("give an `architecture`, or a `model` with weights of its own")
        return self
