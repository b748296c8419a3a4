"""The quickstart from nothing and once more: wall time, where it went, and what came out, as ratios.

    python benchmarks/quickstart.py

Runs `pipeline.yaml` of this checkout in a temporary copy of the project. Overhead is the time that goes into none of the
work itself (training, first weights, pruning, exporting, measuring): starting up, importing, reading, hashing, writing,
reporting.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `compress run`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(ROOT / "pipeline.yaml", folder / "pipeline.yaml")
        shutil.copytree(ROOT / "examples" / "voice_commands", folder / "examples" / "voice_commands")
        command = [
            "run",
            str(folder / "pipeline.yaml"),
            *(part for value in arguments.set for part in ("--set", value)),
        ]
        begun = time.perf_counter()
        spent = timed(command)
        wall = time.perf_counter() - begun
        again = time.perf_counter()
        timed(command)
        again = time.perf_counter() - again
        print(f"\nfirst run {wall:.0f} s, second run {again:.2f} s (in one process)")
        for what, seconds in spent.items():
            print(f"  {what:<10} {seconds:7.1f} s  {seconds / wall:6.1%}")
        print(f"  {'overhead':<10} {wall - sum(spent.values()):7.1f} s  {1 - sum(spent.values()) / wall:6.1%}")
        results(folder / "runs" / "voice-commands" / "report" / "report.json")


def timed(command: list[str]) -> dict[str, float]:
    """Run a command; gives the seconds spent in each kind of work."""
    from compress.cli.main import code
    from compress.stages import distill, export, learn, measure, prune, teacher

    spent: dict[str, float] = defaultdict(float)

    def watched(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*values, **options)
            finally:
                spent[what] += time.perf_counter() - begun

        return call

    patched = [
        (module, name, what, getattr(module, name))
        for module, name, what in (
            (teacher, "train", "training"),
            (learn, "train", "training"),
            (distill, "first_weights", "starting"),
            (prune, "_cut", "pruning"),
            (export, "export", "exporting"),
            (measure, "measure", "measuring"),
        )
    ]
    for module, name, what, function in patched:
        setattr(module, name, watched(what, function))
    try:
        if (exit_code := code(command)) not in (0, 1):
            raise SystemExit(exit_code)
    finally:
        for module, name, _, function in patched:
            setattr(module, name, function)
    return spent


def results(path: Path) -> None:
    """Print each variant beside the teacher in PyTorch FP32."""
    from compress.report import record

    found = record.load(path)
    reference = found.reference
    assert reference is not None
    metric = found.task.metric
    print(f"{'variant':<28}{metric:>10}{'kept':>9}{'smaller':>9}{'faster':>9}{'faster, same rows':>19}")
    for variant in found.variants:
        cell, rows = variant.latency[0], variant.same_rows
        print(
            f"{variant.model + ' ' + variant.id:<28}{variant.metrics[metric]:>10.4f}"
            f"{variant.metrics[metric] / reference.metrics[metric]:>9.1%}"
            f"{reference.size_bytes / variant.size_bytes:>8.1f}x{cell.speedup or 0:>8.1f}x"
            f"{(rows.speedup if rows else 0) or 0:>18.1f}x"
        )


if __name__ == "__main__":
    main()
