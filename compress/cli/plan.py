"""`compress plan`: what would run, and why."""

from typing import TYPE_CHECKING

from compress.cli.options import PIPELINE, From, Pipeline, Sets, Until

if TYPE_CHECKING:
    from rich.console import Console

    from compress.run.plan import Plan

_SHOWN = 6


def plan(pipeline: Pipeline = PIPELINE, sets: Sets = None, start: From = None, until: Until = None) -> int:
    """Print which steps would run, and why. Runs nothing."""
    from compress.cli.console import console
    from compress.run import checks
    from compress.run.plan import Plan

    table(Plan(checks.load(pipeline, sets or ())), console(), start=start, until=until)
    return 0


def table(plan: "Plan", console: "Console", *, start: str | None = None, until: str | None = None) -> None:
    """Print the state of each step of a plan."""
    chosen = plan.selected(start, until)
    items = plan.items(chosen, plan.forced(chosen, start))
    marks = {"fresh": ("=", "up to date"), "run": (">", "run"), "later": ("?", "perhaps")}
    for item in items:
        mark, word = marks[item.state]
        reasons = list(item.reasons[:_SHOWN])
        if len(item.reasons) > _SHOWN:
            reasons.append(f"and {len(item.reasons) - _SHOWN} more reasons")
        console.print(f"{mark} {item.step.name:<34} {word:<11}{reasons[0] if reasons else ''}".rstrip(), markup=False)
        for reason in reasons[1:]:
            console.print(f"{'':<48}{reason}", markup=False)
    count = sum(item.state == "run" for item in items)
    later = sum(item.state == "later" for item in items)
    console.print(
        f"{count} of {len(items)} steps would run{f', {later} more if their inputs change' if later else ''}."
    )
