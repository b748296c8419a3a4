"""What the gate asks for fits what is built and measured, and can be shown."""

from collections.abc import Iterator
from math import ceil

from compress import registry
from compress.config.pipeline import Draft, Loaded
from compress.config.settings import (
    AccuracyGate,
    CalibrationGate,
    FidelityGate,
    Gate,
    LatencyGate,
    Measure,
    SizeGate,
    SliceGate,
)
from compress.config.settings.export import CALLS
from compress.config.source import KeyPath
from compress.errors import InputError, Problem, unknown
from compress.report import record
from compress.report.gate.latency import P95_CALLS
from compress.run import exports

_NEVER = "which no number of rows shows of a model that is just as good: the answer will be `not comparable` unless it is better. "


def problems(draft: Draft) -> Iterator[Problem]:
    """Everything that the gate names and that is not there, as far as the parts of the file are valid."""
    where = draft.document.where
    whole = draft.part(Gate, ("gate",), ("students", "baseline")) or Gate()
    for index, student in enumerate(whole.students or ()):
        if student not in draft.students:
            yield Problem(where(("gate", "students", index)), unknown("student", student, draft.students))
    if whole.baseline is not None:
        try:
            record.load(draft.root / whole.baseline)
        except InputError as error:
            yield Problem(where(("gate", "baseline")), error.problems[0].what)
    accuracy = draft.part(AccuracyGate, ("gate", "accuracy")) or AccuracyGate()
    fidelity = draft.part(FidelityGate, ("gate", "fidelity")) or FidelityGate()
    calibration = draft.part(CalibrationGate, ("gate", "calibration")) or CalibrationGate()
    latency = draft.part(LatencyGate, ("gate", "latency")) or LatencyGate()
    size = draft.part(SizeGate, ("gate", "size")) or SizeGate()
    slices = dict(_slices(draft))
    limits = (accuracy.keep, fidelity.agreement, fidelity.kl, calibration.ece, latency.p50_ms, latency.p95_ms)
    asked = any(limit is not None for limit in (*limits, latency.speedup, size.max_mb, whole.baseline)) or bool(slices)
    groups: dict[KeyPath, str | None] = {
        ("gate", name): part.on
        for name, part in (
            ("accuracy", accuracy),
            ("fidelity", fidelity),
            ("calibration", calibration),
            ("latency", latency),
            ("size", size),
        )
    } | {path: part.on for path, part in slices.items()}
    if asked and not draft.document.value.get("export"):
        yield Problem(where(("gate",)), "nothing is exported, so nothing can be judged. Add `export`.")
    else:
        yield from _exports(draft, groups)
    yield from _measured(draft, latency, slices)


def _slices(draft: Draft) -> Iterator[tuple[KeyPath, SliceGate]]:
    """The slicings that are valid, and where they stand."""
    group = draft.document.value.get("gate")
    listed = group.get("slices") if isinstance(group, dict) else None
    for index in range(len(listed) if isinstance(listed, list) else 0):
        part = draft.part(SliceGate, ("gate", "slices", index))
        if part is not None:
            yield ("gate", "slices", index), part


def _exports(draft: Draft, groups: dict[KeyPath, str | None]) -> Iterator[Problem]:
    """Names of exports that there are not, where all that is exported is valid."""
    built = [export for export in exports.written(draft) if export is not None]
    if len(built) < len(exports.written(draft)):
        return
    known = [
        exports.variant(export, precision)
        for export in built
        for precision in export.precision
        if precision in registry.TARGETS.load(export.target).precisions
    ]
    for path, on in groups.items():
        if on is not None and on not in known:
            yield Problem(draft.document.where((*path, "on")), unknown("export", on, known))


def _measured(draft: Draft, latency: LatencyGate, slices: dict[KeyPath, SliceGate]) -> Iterator[Problem]:
    """Shapes that are not timed, and slicings by what the report will not say of its rows."""
    where, measure = draft.document.where, draft.part(Measure, ("measure",))
    if measure is None:
        return
    for key in ("batch", "sequence"):
        asked, measured = getattr(latency, key), getattr(measure, key)
        if asked is not None and asked not in measured:
            listed = ", ".join(map(str, measured))
            yield Problem(
                where(("gate", "latency", key)), f"{asked} is not measured. Give one of measure.{key}: {listed}."
            )
    for path, part in slices.items():
        known = ("label", "length", *measure.columns)
        if part.by not in known:
            what = f"{unknown('slicing', part.by, known)} A column of the data is listed in `measure.columns` first."
            yield Problem(where((*path, "by")), what)


def notes(loaded: Loaded) -> Iterator[str]:
    """Limits that no number of rows, or not so few rounds, can show to hold."""
    gate = loaded.settings.gate
    if gate.accuracy.confidence > 0.5:
        taken = "or `gate.accuracy.confidence: 0.5`, which takes the numbers as they are."
        if gate.accuracy.keep == 1:
            yield f"Note: gate.accuracy.keep: 1 leaves nothing to lose, {_NEVER}Give less, {taken}"
        if gate.accuracy.max_drop == 0:
            yield f"Note: gate.accuracy.max_drop: 0 leaves nothing to lose, {_NEVER}Give more, {taken}"
    rounds, least = loaded.settings.measure.rounds, ceil(P95_CALLS / CALLS)
    if gate.latency.p95_ms is not None and rounds < least:
        yield (
            f"Note: gate.latency.p95_ms: {rounds} rounds cannot show that a 95th percentile holds, the answer will be "
            f"`not comparable` or `fail`. Give measure.rounds: {least} or more."
        )
    if gate.fidelity.agreement == 1:
        yield "Note: gate.fidelity.agreement: 1 can never be shown to hold on a sample of rows. Give less."
