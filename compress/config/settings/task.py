"""What the models are to do, and on which rows."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from compress.config.group import Closed
from compress.registry import TASKS


class Data(Closed):
    """Where the rows come from: local files, or a data set of the Hugging Face Hub."""

    train: str | None = None
    """Training rows: a CSV, TSV, JSONL or Parquet file, relative to the pipeline file; with `hub`, a split such as `train[:90%]`."""
    validation: str | None = None
    """Rows watched during training."""
    test: str | None = None
    """Rows that the reported accuracy and the gate are computed on; the validation rows if left out."""
    unlabelled: str | None = None
    """Further rows, without labels, that students learn from by their teacher's answers: a file like the others, or `.txt` with one text a line; with `hub`, a split."""
    hub: str | None = None
    """Data set id on the Hub, such as `nyu-mll/glue`; loading it uses the network."""
    config: str | None = None
    """Configuration of the Hub data set, such as `sst2`."""
    revision: str | None = None
    """Commit or tag of the Hub data set."""
    columns: tuple[str, ...] | None = None
    """Column names, in order, of CSV/TSV files that have no header line, such as `[label, text]`; rows without labels may lack the label's."""

    @model_validator(mode="after")
    def _source(self) -> Self:
        if self.hub is None:
            if self.train is None or self.validation is None:
                raise ValueError("give `train` and `validation` files, or a `hub` data set")
            if self.config or self.revision:
                raise ValueError("`config` and `revision` belong to a `hub` data set")
        return self

    def split(self, name: Literal["train", "validation", "test", "unlabelled"]) -> str:
        """The file or Hub split that serves as `name`."""
        if name == "test":
            return self.test or self.validation or "validation"
        return getattr(self, name) or name


class Reading(Closed):
    """Where the rows are, and what is read of them."""

    data: Data
    """Where the rows are."""
    text: str = "text"
    """Column of the text."""
    text_pair: str | None = None
    """Column of the second text of a pair."""
    label: str = "label"
    """Column of the label."""
    labels: tuple[str, ...] | None = None
    """Label names in the order of their ids; found in the training rows if left out (then sorted)."""


class Task(Reading):
    """What the model is to do, and on which rows."""

    type: Annotated[str, Field(json_schema_extra=lambda schema: schema.update(enum=[*TASKS.names()]))]
    """The kind of task."""
    metric: str = "accuracy"
    """The metric that is reported first and gated."""
    max_length: Annotated[int, Field(ge=4, le=8192)] = 128
    """Longest input in tokens, special tokens counted."""
    truncation: Literal["head", "tail", "head+tail"] = "head"
    """Which part of a longer text is kept."""
