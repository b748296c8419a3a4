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
Plain = Annotated[
    bool,
    typer.Option(
        "--plain", help="Plain lines: no colours, no bars. So it is anyway in a pipe, in CI and with NO_COLOR."
    ),
]
LogJson = Annotated[
    bool, typer.Option("--log-json", help="Nothing but JSON on standard output: an object a line for each event.")
]
PIPELINE = Path("pipeline.yaml")
