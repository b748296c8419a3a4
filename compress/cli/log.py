"""A run as lines of JSON on standard output, one object an event: what a program reads that started it."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from compress.cli.pace import Pace

if TYPE_CHECKING:
    from compress.config.settings import Gate
    from compress.report.gate.verdict import Verdict
    from compress.run.plan import Item
    from compress.run.steps import Step

_PAUSE = 10.0
"""Seconds between two events of progress of a step."""


def emit(event: str, stream: TextIO | None = None, /, **facts: Any) -> None:
    """Write one event with the time (UTC), and see that it gets out."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "event": event, **facts}, ensure_ascii=True), file=stream or sys.stdout, flush=True)


def verdict(judged: "Verdict", report: Path) -> int:
    """Write what a gate says; gives its exit code."""
    checks = [{"answer": check.answer, "sentence": check.sentence} for check in judged.checks]
    told = {"verdict": judged.answer, "sentence": judged.headline, "checks": checks, "report": str(report)}
    emit("verdict", **told, notes=judged.notes, exit_code=judged.exit_code)
    return judged.exit_code


def plan(items: "Sequence[Item]") -> None:
    """Write the state of each step of a plan."""
    for item in items:
        emit("plan", step=item.step.name, state=item.state, reasons=list(item.reasons))


class Log:
    """Tells a program how a run goes. What libraries print meanwhile goes to standard error."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._pace = Pace(clock, _PAUSE)
        self._step: str | None = None
        self._out = sys.stdout

    def note(self, text: str) -> None:
        """Write what belongs to no step."""
        emit("note", note=text)

    def fresh(self, step: "Step") -> None:
        """Write that a step is up to date."""
        emit("fresh", step=step.name)

    @contextmanager
    def working(self, step: "Step", reasons: Sequence[str]) -> Iterator[None]:
        """Write that a step begins, and, unless it fails, its end."""
        begun, self._step = self._clock(), step.name
        self._pace.begin()
        emit("begin", self._out, step=step.name, reasons=list(reasons))
        with redirect_stdout(sys.stderr):
            yield
        emit("end", self._out, step=step.name, seconds=round(self._clock() - begun, 3))

    def progress(self, done: int, total: int, note: str) -> None:
        """Write now and then how far a step is; what is said once, at once."""
        if not total:
            emit("note", self._out, step=self._step, note=note)
        elif self._pace.due(done, total):
            rate, left = self._pace.rate, self._pace.left_s
            told = {"rate": rate and round(rate, 4), "left_s": left and round(left, 1)}
            emit("progress", self._out, step=self._step, done=done, total=total, **told, note=note)

    def plan(self, items: "Sequence[Item]") -> None:
        """Write what would run."""
        plan(items)

    def verdict(self, report: Path, gate: "Gate") -> int:
        """Write the verdict on a report; gives its exit code."""
        from compress.cli.report import judged

        return verdict(judged(report, gate)[1], report)
