"""`compress gate`: judge a report, alone or against a baseline."""

from pathlib import Path
from typing import Annotated

import typer


def gate(
    source: Annotated[Path, typer.Argument(metavar="REPORT", help="A run folder or a report.json.")],
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="A report that this one may not be worse than.")
    ] = None,
) -> int:
    """Judge a report by its own limits and against a baseline: exit 0 pass, 1 fail, 3 not comparable."""
    from compress.cli.report import baseline_of, locate
    from compress.report import record
    from compress.report.gate import verdict
    from compress.units import printable

    loaded = record.load(locate(source))
    judged = verdict.judge(
        loaded, loaded.gate, record.load(locate(baseline)) if baseline else baseline_of(locate(source), loaded.gate)
    )
    for check in judged.checks:
        typer.echo(printable(f"{check.answer}: {check.sentence}"))
    typer.echo(printable(judged.headline))
    return judged.exit_code
