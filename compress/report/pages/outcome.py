"""The verdict as data, for programs: JSON whose schema is versioned."""

import json
from typing import Any, Final, Literal

from compress.config.group import Closed
from compress.report.gate.check import Check
from compress.report.gate.verdict import Verdict
from compress.report.record import Machine, Record, Split
from compress.statistics.evidence import Answer

VERSION: Final = 1


class Baseline(Closed):
    """The report that was compared with."""

    name: str
    """Name of its run."""
    created: str
    """When it was made, in UTC."""
    machine_class: str
    """Class of the machine it was measured on."""


class Outcome(Closed):
    """The verdict of a gate on a report."""

    verdict_version: Literal[1] = VERSION
    """Version of this format."""
    name: str
    """Name of the run."""
    created: str
    """When its report was made, in UTC."""
    answer: Answer
    """Whether everything that the gate asks for holds."""
    exit_code: int
    """The command's exit code: 0 pass, 1 fail, 3 not comparable."""
    headline: str
    """The answer in words."""
    checks: tuple[Check, ...]
    """Each thing that was asked. `seen` and `limit` are shares, ms, bytes or ratios, as the name says, or null."""
    notes: tuple[str, ...]
    """What a reader should know and decides nothing."""
    regressions: tuple[str, ...]
    """Lower precisions that are slower or worse than the plain one of the same runtime."""
    baseline: Baseline | None
    """The report that was compared with, if there was one."""
    test: Split
    """The rows that the models were judged on."""
    machine: Machine
    """The machine everything was measured on."""
    versions: dict[str, str]
    """Versions of this program, of Python and of the libraries that change numbers."""


def render(record: Record, verdict: Verdict, baseline: Record | None = None) -> Any:
    """The verdict as the value of its JSON."""
    against = None
    if baseline is not None:
        machine_class = baseline.machine.machine_class
        against = Baseline(name=baseline.name, created=baseline.created, machine_class=machine_class)
    made = Outcome(
        name=record.name,
        created=record.created,
        answer=verdict.answer,
        exit_code=verdict.exit_code,
        headline=verdict.headline,
        checks=verdict.checks,
        notes=verdict.notes,
        regressions=verdict.regressions,
        baseline=against,
        test=record.data.test,
        machine=record.machine,
        versions=record.versions,
    )
    return json.loads(made.model_dump_json())  # JSON knows no infinite numbers: they become null


def schema() -> dict[str, Any]:
    """The JSON Schema of a verdict."""
    return Outcome.model_json_schema(mode="serialization")
