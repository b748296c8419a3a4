"""`compress plan`: what would run, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from compress.cli.options import PIPELINE, From, LogJson, Pipeline, Plain, Sets, Until

if TYPE_CHECKING:
    from rich.console import Console

    from compress.run.plan import Item, Plan

_SHOWN = 6


def plan(
    pipeline: Pipeline = PIPELINE,
    sets: Sets = None,
    start: From = None,
    until: Until = None,
    plain: Plain = False,
    log_json: LogJson = False,
) -> int:
    """Print which steps would run, and why. Runs nothing.

    Of files made before only the sizes are looked at; `compress run` and `compress doctor RUN` read every byte.
    """
    from compress.cli import log
    from compress.cli.console import console
    from compress.run import checks
    from compress.run.plan import Plan

    items = items_of(Plan(checks.load(pipeline, sets or ())), start, until)
    if log_json:
        log.plan(items)
    else:
        table(items, console(plain))
    return 0


def items_of(plan: "Plan", start: str | None, until: str | None) -> "list[Item]":
    """The state of each step that the options choose."""
    chosen = plan.selected(start, until)
    return plan.items(chosen, plan.forced(chosen, start))


def table(items: "Sequence[Item]", console: "Console") -> None:
    """Print the state of each step of a plan."""
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
