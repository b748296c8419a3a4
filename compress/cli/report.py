"""`compress report`: a record as a table, Markdown or one HTML page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from compress.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from compress.config.settings import Gate
    from compress.report.record import Record


def report(
    source: Annotated[Path | None, typer.Argument(help="A run folder or a report.json.")] = None,
    format: Annotated[
        Literal["terminal", "markdown", "html", "json-schema"],
        typer.Option("--format", help="How it is written. json-schema, of report.json itself, needs no run."),
    ] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; printed if left out.")] = None,
) -> int:
    """Show the report of a run."""
    from compress.cli.console import console
    from compress.files import write_text
    from compress.report import record
    from compress.report.gate import verdict
    from compress.units import printable

    if out is not None and format == "terminal":
        suffixes: dict[str, Literal["markdown", "html"]] = {".md": "markdown", ".html": "html"}
        if out.suffix not in suffixes:
            raise InputError(f"--out {out}: name a .md or .html file, or say --format.")
        format = suffixes[out.suffix]
    if format == "json-schema":
        if source is not None:
            raise InputError(f"{source}: --format json-schema is of every report. Leave out the run.")
        text = json.dumps(record.schema(), indent=2)
    elif source is None:
        raise InputError("which report? Give a run folder (runs/NAME) or a report.json.")
    elif format == "terminal":
        show(locate(source), console())
        return 0
    else:
        loaded = record.load(locate(source))
        judged = verdict.judge(loaded, loaded.gate, baseline_of(locate(source), loaded.gate))
        if format == "markdown":
            from compress.report.pages import markdown

            text = markdown.render(loaded, judged)
        else:
            from compress.report.pages import html

            text = html.render(loaded, judged)
    if out is None:
        typer.echo(printable(text))
    else:
        write_text(out, text)
    return 0


def locate(source: Path) -> Path:
    """The report.json of a run folder, of its report folder, or the file itself.

    Raises: InputError if there is none.
    """
    for path in (source / "report" / "report.json", source / "report.json", source):
        if path.is_file():
            return path
    raise InputError(f"{source}: no report there. Give a run folder (runs/NAME) or a report.json.")


def baseline_of(report: Path, gate: "Gate") -> "Record | None":
    """The baseline that a gate names, looked for in the folders around the report; None if there is none."""
    from compress.report import record

    if gate.baseline is None:
        return None
    found = (folder / gate.baseline for folder in report.absolute().parents)
    return next((record.load(path) for path in found if path.is_file()), None)


def show(path: Path, console: "Console", gate: "Gate | None" = None) -> int:
    """Print a report with its verdict, and return the verdict's exit code."""
    from compress.report import record
    from compress.report.gate import verdict
    from compress.report.pages import terminal

    loaded = record.load(path)
    gate = gate or loaded.gate
    judged = verdict.judge(loaded, gate, baseline_of(path, gate))
    console.print(terminal.table(loaded, judged), crop=False)
    page = path.with_name("report.html")
    if page.is_file():
        console.print(f"Report: {page}", markup=False)
    return judged.exit_code
