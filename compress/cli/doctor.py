"""`compress doctor`: what is installed, what this machine is, which targets work here and why the others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def doctor() -> int:
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
