"""`compress doctor`: what is installed and works on this machine, or what is broken in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.errors import InputError

if TYPE_CHECKING:
    from compress.targets import Target

_SHOWN = (
    "torch",
    "transformers",
    "torch-pruning",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "datasets",
    "accelerate",
    "tokenizers",
)
_EXTRAS = ("tensorrt", "tensorrt-rtx", "openvino", "nncf", "executorch", "coremltools", "litert-torch", "ray")
"""Packages that are not installed unless asked for."""


def doctor(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A pipeline, or its run folder: look for broken files there.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is broken, so that the next run makes it anew.")
    ] = False,
) -> int:
    """Say what is installed and which targets work here; of a run, which files are not as they were written.

    Every file is read and compared with its digest, as `compress run` does with what it does not make anew. Exits 2 if
    something is broken; with --repair 0, once it is removed.
    """
    if run is not None:
        return _examined(run, repair)
    if repair:
        raise InputError("--repair: which run? Give a pipeline, or a run folder: runs/NAME.")
    return _machine()


def _examined(asked: Path, repair: bool) -> int:
    """Name everything broken in a run folder that nobody holds, and remove it if that is asked for."""
    from compress.config import pipeline
    from compress.store.repair import examine
    from compress.units import printable

    run = asked if asked.is_dir() else pipeline.load(asked).folder
    if not run.is_dir():
        raise InputError(f"{run}: there is no such folder; nothing has run yet.")
    found = examine(run, repair=repair)
    for fault in found:
        typer.echo(printable(fault.what.removesuffix(".") + "."))
    count = f"{len(found)} fault{'' if len(found) == 1 else 's'}"
    if not found:
        typer.echo(f"{run}: every file is as it was written.")
    elif repair:
        typer.echo(f"{count}, removed. `compress run` makes anew what it needs.")
    else:
        typer.echo(f"{count}. `compress doctor {asked} --repair` removes what is broken; `compress run` makes it anew.")
    return 2 if found and not repair else 0


def _machine() -> int:
    """Say what is installed, what this machine is, and which targets work here."""
    from rich.table import Table
    from rich.text import Text

    from compress import registry
    from compress.bench import machine
    from compress.cli.console import console
    from compress.units import size

    out = console()
    here = machine.describe()
    facts = {
        "machine": f"{here.processor}, {here.logical_cores} cores, {size(here.memory_bytes)} memory, {here.system}",
        "class": here.machine_class,
        "gpus": ", ".join(here.gpus) or "none",
        **machine.versions(_SHOWN),
        **dict.fromkeys(_EXTRAS, "not installed"),
        **machine.versions(_EXTRAS),
    }
    for name, fact in facts.items():
        out.print(f"{name:<14}{fact}", markup=False)
    table = Table("target", "precisions", "here", box=None, header_style="bold")
    for name in registry.TARGETS.names():
        target = registry.TARGETS.load(name)
        reason = target.unavailable()
        told = Text(reason or _runs(target))  # `[openvino]` is no style here
        table.add_row(name, " ".join(target.precisions), told)
    out.print(table)
    return 0


def _runs(target: Target) -> str:
    """What of a target that can be built here does not run, and why."""
    idle: dict[str, list[str]] = {}
    for precision in target.precisions:
        if reason := target.unrunnable(precision):
            idle.setdefault(reason, []).append(precision)
    told = []
    for reason, which in idle.items():
        some = "" if which == [*target.precisions] else f" {' '.join(which)}"
        told.append(f"builds; does not run{some}: {reason}")
    return "; ".join(told) or "works"
