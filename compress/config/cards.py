"""What a card of `teachers/` or `students/` may say."""

from typing import Self

from pydantic import model_validator

from compress.config.group import Closed
from compress.config.settings import Architecture, Model, Name, StudentMaking, Train


class TeacherCard(Closed):
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


class StudentCard(StudentMaking):
    """A file of `students/`."""

    name: Name
    """The card's name; the file is called so too."""
    title: str
    """One line for the index."""
    source: str
    """Paper and section the shape and the training come from."""

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        if self.model is None and "architecture" not in self.model_fields_set:
            raise ValueError("give an `architecture`, or a `model` with weights of its own")
        return self
