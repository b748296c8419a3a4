"""New rows to learn from."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from compress.config.group import Closed, Positive
from compress.config.settings.model import Model


class Augment(Closed):
    """New rows, without labels, made from the training rows: by replacing words (Jiao et al. 2020, arXiv:1909.10351, algorithm 1) or by joining texts."""

    copies: Annotated[int, Field(ge=0)] = 2
    """New rows made from each training row by replacing words; those that come out like one there is already are left out."""
    joined: Annotated[int, Field(ge=0)] = 0
    """New rows in all that are the texts of two training rows, drawn at random, one after the other: for training texts that are shorter than those to come."""
    replace: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Probability that a word is replaced."""
    candidates: Positive = 15
    """Words that a replacement is drawn from: the most likely, or the nearest ones."""
    masked_lm: Model | None = None
    """A masked language model, such as `{hub: bert-base-uncased}`, that proposes words which fit their place. Without it, and for words of several pieces, those of the training rows with the nearest embeddings are taken; the embeddings are this model's, else the teacher's."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.copies and not self.joined:
            raise ValueError("makes no rows: give `copies`, `joined` or both")
        if not self.copies and self.model_fields_set & {"replace", "candidates", "masked_lm"}:
            raise ValueError(
                "`replace`, `candidates` and `masked_lm` say how words are replaced, and `copies: 0` replaces none"
            )
        return self
