"""`compress run`: make everything a pipeline asks for, then report and judge."""

from typing import Annotated

import typer

from compress.cli.options import PIPELINE, From, LogJson, Pipeline, Plain, Sets, Until


def run(
    pipeline: Pipeline = PIPELINE,
    sets: Sets = None,
    start: From = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would run and why.")] = False,
    plain: Plain = False,
    log_json: LogJson = False,
    no_gate: Annotated[
        bool, typer.Option("--no-gate", help="Exit with 0 when all is made, and leave the verdict to `compress gate`.")
    ] = False,
) -> int:
    """Run a pipeline: teacher, students, pruning, exports, measurements, report and verdict.

    What is up to date is not made again; a run that was stopped goes on where it was. With `accelerate launch -m compress
    run` several processes train together.
    """
    from compress.cli.console import console
    from compress.cli.log import Log
    from compress.cli.plan import items_of
    from compress.cli.watch import Terminal
    from compress.run import checks, team
    from compress.run.execute import execute, take_part
    from compress.run.plan import Plan

    if not team.first():
        if not dry_run:
            take_part()
        return 0
    loaded = checks.load(pipeline, sets or ())
    plan = Plan(loaded)
    watcher = Log() if log_json else Terminal(console(plain))
    if dry_run:
        watcher.plan(items_of(plan, start, until))
        return 0
    for note in checks.notes(loaded):
        watcher.note(note)
    checks.available(loaded)
    plan.items(plan.selected(start, until))  # what cannot be found is said before anything runs
    execute(plan, watcher, start=start, until=until)
    if all(step.stage != "report" for step in plan.selected(start, until)):
        watcher.note(f"Stopped after {until}, as asked.")
        return 0
    verdict = watcher.verdict(plan.folder("report") / "report.json", loaded.settings.gate)
    return 0 if no_gate else verdict
