"""`compress check`: every mistake of a pipeline, its cards and its data, at once."""

import json
from typing import Annotated

import typer

from compress.cli.options import PIPELINE, Pipeline, Sets


def check(
    pipeline: Pipeline = PIPELINE,
    sets: Sets = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of pipeline files, for editors.")
    ] = False,
) -> int:
    """Check a pipeline file, the cards it names and the rows of its data. Runs nothing."""
    if schema:
        from compress.config.schema import pipeline_schema

        typer.echo(json.dumps(pipeline_schema(), indent=2, ensure_ascii=False))
        return 0
    from compress.run import checks
    from compress.units import printable

    loaded = checks.load(pipeline, sets or ())
    for note in checks.notes(loaded):
        typer.echo(printable(note))
    typer.echo(f"{loaded.settings.name}: no mistakes found.")
    return 0
