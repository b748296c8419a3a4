"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Pipeline = Annotated[Path, typer.Argument(help="The pipeline file.", show_default=True)]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: students.tiny.distill.temperature=4. Repeatable."),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="STEP", help="Run this step or stage again, and all that read it, even if up to date."
    ),
]
Until = Annotated[str | None, typer.Option("--until", metavar="STEP", help="Stop after this step or stage.")]
PIPELINE = Path("pipeline.yaml")
