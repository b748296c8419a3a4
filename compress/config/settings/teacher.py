"""The models that students learn from."""

from typing import Self

from pydantic import model_validator

from compress.config.group import Closed
from compress.config.settings.learning import Train
from compress.config.settings.model import Model


class Teacher(Closed):
    """The model the students learn from."""

    use: str
    """Name of a teacher card; `bert-large` if left out."""
    model: Model
    """Where its pretrained weights come from."""
    train: Train = Train()
    """How it is fine-tuned."""


class FurtherTeacher(Closed):
    """A teacher beside the main one; students are given its logits on the training rows, in a file or by a program if it has no weights here."""

    use: str | None = None
    """Name of a teacher card."""
    model: Model | None = None
    """Where its pretrained weights come from; its family and tokenizer may be others than the main teacher's."""
    train: Train = Train()
    """How it is fine-tuned."""
    predictions: str | None = None
    """Instead of a model: its answers, a JSONL or Parquet file of `row` (number of the training row, from 0) and `logits` or `probabilities`."""
    call: str | None = None
    """Instead of a model: an installed program that answers, by its name among the entry points `compress.teachers`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.use or self.model, self.predictions, self.call]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("give a model (a card's name under `use`, or `model`), or `predictions`, or `call`")
        if kinds[0] is None and "train" in self.model_fields_set:
            raise ValueError("`train` belongs to a model; `predictions` and `call` are answers as they are")
        return self
