"""`compress gate`: judge a report, alone or against a baseline."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.options import LogJson
from compress.errors import InputError

if TYPE_CHECKING:
    from compress.report.gate.verdict import Verdict
    from compress.report.record import Record


def gate(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="REPORT", help="A run folder, a report.json, or a pipeline file that was run."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="A report that this one may not be worse than.")
    ] = None,
    log_json: LogJson = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the verdict as JUnit XML, too.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the report as a comment on a pull request, too.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the verdict as JSON, too.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations for GitHub Actions, and write the summary of the job.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of what --json writes.")] = False,
) -> int:
    """Judge a report by its own limits and against a baseline: exit 0 pass, 1 fail, 3 not comparable."""
    if schema:
        from compress.report.pages import outcome

        typer.echo(json.dumps(outcome.schema(), indent=2))
        return 0
    if source is None:
        raise InputError("which report? Give a run folder (runs/NAME), a report.json or a pipeline file.")
    if log_json and github:
        raise InputError("--log-json and --github: both write to standard output. Ask for one of them.")
    from compress.cli import log
    from compress.cli.report import baseline_of, locate
    from compress.files import write_json, write_text
    from compress.report import record
    from compress.report.gate import verdict

    path = locate(source)
    loaded = record.load(path)
    before = record.load(locate(baseline)) if baseline else baseline_of(path, loaded.gate)
    judged = verdict.judge(loaded, loaded.gate, before)
    if junit:
        from compress.report.pages import junit as cases

        write_text(junit, cases.render(loaded, judged))
    if markdown:
        from compress.report.pages import comment

        write_text(markdown, comment.render(loaded, judged))
    if json_:
        from compress.report.pages import outcome

        write_json(json_, outcome.render(loaded, judged, before))
    if log_json:
        return log.verdict(judged, path)
    _print(judged, github)
    if github:
        _tell_github(source, loaded, judged)
    return judged.exit_code


def _print(judged: "Verdict", github: bool) -> None:
    """A line for each check and note, and the answer. GitHub is told not to read commands in them: names come from the data."""
    import secrets

    from compress.units import printable

    token = secrets.token_hex(16)
    lines = [f"{check.answer}: {check.sentence}" for check in judged.checks]
    lines += [*(f"note: {note}" for note in judged.notes), judged.headline]
    fence = ([f"::stop-commands::{token}"], [f"::{token}::"]) if github else ([], [])
    for line in [*fence[0], *(" ".join(line.splitlines()) for line in lines), *fence[1]]:
        typer.echo(printable(line))


def _tell_github(source: Path, loaded: "Record", judged: "Verdict") -> None:
    from compress.config import source as yaml
    from compress.report.pages import github
    from compress.units import printable

    places: dict[str, str] = {}
    if source.suffix in (".yaml", ".yml"):
        top = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
        file = source.resolve()
        shown = file.relative_to(top) if file.is_relative_to(top) else source
        document = yaml.read(source, shown.as_posix())
        places = {check.name: document.place(("gate", *check.name.split("."))) for check in judged.checks}
    for line in github.annotations(judged, places):
        typer.echo(printable(line))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(github.summary(loaded, judged))
