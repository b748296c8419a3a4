"""What is built, and how it is timed."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from compress.config.group import Closed, Positive, Share
from compress.config.settings.names import Counts, Lengths, Texts, Tokens, listed


class Export(Closed):
    """One deployment target and the precisions it is built in."""

    target: str
    """Name of the target."""
    precision: Annotated[Texts, BeforeValidator(listed, json_schema_input_type=str | Texts)]
    """Number formats, such as `[fp32, fp16, int8]`; the target says which it knows."""
    recipe: str | None = None
    """Quantization recipe for the integer precisions; the target's own choice if left out."""
    calibration_rows: Positive = 128
    """Training rows a static recipe is calibrated on."""
    max_batch: Positive = 8
    """Largest number of rows in one call, for targets that plan for it."""
    options: dict[str, bool | int | str | Texts] = {}
    """What the target alone knows, such as `{version_compatible: true}` for TensorRT."""
    max_drop: Share = 0.01
    """Largest share of the test rows that may be answered wrongly for a lower precision."""
    on_regression: Literal["keep", "drop", "fail"] = "keep"
    """What becomes of a lower precision that is slower or worse: it is kept, left out of the gate and the bundle, or fails the gate."""

    @property
    def id(self) -> str:
        """The name of this export in a run: the target, with the recipe if one is asked for."""
        return f"{self.target}-{self.recipe}" if self.recipe else self.target


CALLS = 2
"""Timed calls of a variant in a round."""


class Measure(Closed):
    """What is timed, and how."""

    batch: Annotated[Counts, BeforeValidator(listed, json_schema_input_type=Positive | Counts)] = (1, 8)
    """Rows in one call."""
    sequence: Annotated[Lengths, BeforeValidator(listed, json_schema_input_type=Tokens | Lengths)] = (16, 64)
    """Tokens of each row."""
    threads: Positive = 1
    """Threads each runtime may use."""
    rounds: Annotated[int, Field(ge=3)] = 30
    """Interleaved rounds: in each, every variant is timed, two calls in a row, in a new order. A limit of `gate.latency.p95_ms` takes 30 at least."""
    columns: tuple[str, ...] = ()
    """Further columns of the test rows, such as `source`, by whose values the gate and the report slice them."""
    shown_rows: Annotated[int, Field(ge=0)] = 20
    """For each student, how many rows that it answers otherwise than the teacher are in the report with their text; 0 for texts that must not be in a report."""
