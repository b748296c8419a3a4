"""`compress report`: a record, or several side by side, as tables, Markdown or one HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from compress.cli.options import Plain
from compress.errors import InputError
from compress.store import artifact, seal

if TYPE_CHECKING:
    from rich.console import Console

    from compress.config.settings import Gate
    from compress.report.gate.verdict import Verdict
    from compress.report.pages.comparison import Comparison
    from compress.report.record import Record


def report(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[REPORT]...", help="Run folders or report.json files; several are compared."),
    ] = None,
    format: Annotated[
        Literal["terminal", "markdown", "html", "json-schema"],
        typer.Option("--format", help="How it is written. json-schema, of report.json itself, needs no run."),
    ] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; printed if left out.")] = None,
    plain: Plain = False,
) -> int:
    """Show the report of a run, or those of several side by side."""
    from compress.cli.console import console
    from compress.files import write_text
    from compress.units import printable

    if out is not None and format == "terminal":
        suffixes: dict[str, Literal["markdown", "html"]] = {".md": "markdown", ".html": "html"}
        if out.suffix not in suffixes:
            raise InputError(f"--out {out}: name a .md or .html file, or say --format.")
        format = suffixes[out.suffix]
    if format == "json-schema":
        text = _schema(sources)
    elif not sources:
        raise InputError("which report? Give a run folder (runs/NAME) or a report.json.")
    elif format == "terminal" and len(sources) == 1:
        show(locate(sources[0]), console(plain))
        return 0
    elif format == "terminal":
        from compress.report.pages import terminal

        console(plain).print(terminal.compared(_compared(sources)), crop=False)
        return 0
    else:
        text = _page(sources, format)
    if out is None:
        typer.echo(printable(text))
    else:
        write_text(out, text)
    return 0


def _schema(sources: Sequence[Path] | None) -> str:
    from compress.report import record

    if sources:
        raise InputError(f"{sources[0]}: --format json-schema is of every report. Leave out the run.")
    return json.dumps(record.schema(), indent=2)


def _page(sources: Sequence[Path], format: Literal["markdown", "html"]) -> str:
    """The page of one report, or of several side by side."""
    from compress.report.pages import html, markdown

    pages = {"markdown": (markdown.render, markdown.compared), "html": (html.render, html.compared)}
    one, several = pages[format]
    return one(*judged(locate(sources[0]))) if len(sources) == 1 else several(_compared(sources))


def _compared(sources: Sequence[Path]) -> "Comparison":
    from compress.report.pages.comparison import Run, compare

    return compare([Run(str(source), *judged(locate(source))) for source in sources])


def locate(source: Path) -> Path:
    """The report.json of a run folder, of its report folder, of a pipeline file's run, or the file itself.

    Raises: InputError if there is none, or if one in a run is not as it was written.
    """
    if source.suffix in (".yaml", ".yml") and source.is_file():
        return _of_pipeline(source)
    for path in (source / "report" / "report.json", source / "report.json", source):
        if path.is_file():
            made = artifact.read(path.parent)
            facts = made.manifest.files.get(path.name) if made else None
            damage = seal.damage(path.parent, {path.name: facts}) if facts else None
            if damage:
                raise InputError(f"{damage}. `compress run` makes it anew.")
            return path
    raise InputError(f"{source}: no report there. Give a run folder (runs/NAME) or a report.json.")


def _of_pipeline(file: Path) -> Path:
    from compress.config.source import read
    from compress.files import inside

    runs = file.parent / "runs"
    report = inside(runs, str(read(file).value.get("name"))) / "report" / "report.json"
    if report.is_file():
        return report
    raise InputError(f"{file}: has no report yet, which would be {report}. Run it first: compress run {file}")


def baseline_of(report: Path, gate: "Gate") -> "Record | None":
    """The baseline that a gate names, looked for in the folders around the report; None if there is none."""
    from compress.report import record

    if gate.baseline is None:
        return None
    found = (folder / gate.baseline for folder in report.absolute().parents)
    return next((record.load(path) for path in found if path.is_file()), None)


def show(path: Path, console: "Console", gate: "Gate | None" = None) -> int:
    """Print a report with its verdict, and return the verdict's exit code."""
    from compress.report.pages import terminal

    loaded, answer = judged(path, gate)
    console.print(terminal.table(loaded, answer), crop=False)
    page = path.with_name("report.html")
    if page.is_file():
        console.print(f"Report: {page}", markup=False)
    return answer.exit_code


def judged(path: Path, gate: "Gate | None" = None) -> "tuple[Record, Verdict]":
    """A report and the verdict on it, by its own gate if no other is given."""
    from compress.report import record
    from compress.report.gate import verdict

    loaded = record.load(path)
    gate = gate or loaded.gate
    return loaded, verdict.judge(loaded, gate, baseline_of(path, gate))
