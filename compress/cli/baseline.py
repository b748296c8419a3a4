"""`compress baseline`: reports that later ones may not be worse than."""

import os
from pathlib import Path
from typing import Annotated

import typer


def accept(
    source: Annotated[
        Path, typer.Argument(metavar="REPORT", help="A run folder, a report.json, or a pipeline file that was run.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="The baseline's name; the run's if left out.")] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Its folder; `reports` beside the pipeline if left out.")
    ] = None,
) -> int:
    """Make a report the baseline: write it into `reports/`, and say what it replaces and how it compares with that."""
    from compress.cli.report import locate
    from compress.report import record
    from compress.report.pages.tables import checks
    from compress.report.words import plural
    from compress.run import baseline
    from compress.units import printable

    path = locate(source)
    root = _project(path)
    report = record.load(path)
    done = baseline.accept(report, to or root / "reports", name)
    typer.echo(f"Wrote {', '.join(map(str, done.files))}.")
    if report.rows:
        typer.echo(f"Left out: the texts of {plural(len(report.rows), 'row', 'rows')} that the report shows.")
    if done.alone.answer != "pass":
        typer.echo(printable(f"By its own limits: {checks.WORDS[done.alone.answer].lower()}. {done.alone.headline}"))
    if done.replaced and done.against:
        there = f"the baseline of {done.replaced.created}"
        found = f"{checks.WORDS[done.against.answer].lower()}. {done.against.headline}"
        typer.echo(printable(f"Replaced {there}. Against it: {found}"))
        for check in checks.troubles(done.against):
            typer.echo(printable(f"  {check.answer}: {check.sentence}"))
        for line in (*done.against.notes, *baseline.changes(done.made, done.replaced)):
            typer.echo(printable(f"  {line}"))
    written = Path(os.path.relpath(done.files[0], root)).as_posix()
    if report.gate.baseline is None:
        typer.echo(f"No gate compares with it yet. In pipeline.yaml:\n  gate: {{baseline: {written}}}")
    elif report.gate.baseline != written:
        typer.echo(printable(f"The gate of this report compares with {report.gate.baseline}, not with {written}."))
    return 0


def _project(report: Path) -> Path:
    """The folder of the pipeline that a report was made from, told by where it lies; else the current one."""
    around = report.absolute().parents
    in_run = (
        report.name == "report.json" and around[0].name == "report" and len(around) > 3 and around[2].name == "runs"
    )
    return Path(os.path.relpath(around[3])) if in_run else Path()
