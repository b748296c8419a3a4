"""A run made again and again from nothing: does anything grow?

    python benchmarks/soak.py                          # the quickstart, 20 times in a process each, then in one process
    python benchmarks/soak.py pipeline.yaml --runs 5 --only processes

Prints after each run its peak memory, or in one process what it holds after the run, with its threads and open files; and
the files that it left in the folder of temporary files and in the run folder. Exits with 1 if one of them grows: files and
threads at all between the second run and the last; memory if it surely grows by more than 0.2 % a run (the lower end of the
95 % interval of its Theil-Sen slope; the first quarter is left out, as libraries fill their caches then).
"""

import argparse
import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import killed_anywhere
from scipy.stats import theilslopes

ROOT = Path(__file__).parents[1]
GROWTH = 0.002
FEWEST = 5


def main() -> None:
    """Print the figures; exit with 1 if there is growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", nargs="?", type=Path, default=ROOT / "pipeline.yaml")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", choices=["processes", "process"])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `compress run`")
    asked = parser.parse_args()
    if asked.runs < FEWEST:
        parser.error(f"--runs: {asked.runs}; growth shows in {FEWEST} runs or more")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    grown = []
    with tempfile.TemporaryDirectory() as work:
        temporary = Path(work, "temporary")
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        folder = killed_anywhere.project(asked.pipeline, Path(work, "project"))
        command = ["run", str(folder / asked.pipeline.name)]
        command += [part for value in asked.set for part in ("--set", value)]
        for kind, way in (("processes", apart), ("process", together)):
            if asked.only in (None, kind):
                print(f"\n{kind}: {', '.join(FIGURES)}, seconds")
                grown += growth(soak(lambda way=way: way(command), folder / "runs", asked.runs))
    print("\n".join(grown) or "\nnothing grows")
    raise SystemExit(bool(grown))


FIGURES = ("memory_bytes", "threads", "open_files", "temporary_files", "run_files")


def soak(run: Callable[[], dict[str, int]], runs: Path, count: int) -> list[dict[str, int]]:
    """The figures after each of so many runs from nothing."""
    found = []
    for number in range(count):
        shutil.rmtree(runs, ignore_errors=True)
        begun = time.monotonic()
        seen = run()
        seen["temporary_files"] = len(list(Path(tempfile.gettempdir()).rglob("*")))
        seen["run_files"] = len(list(runs.rglob("*")))
        found.append(seen)
        values = [f"{seen['memory_bytes'] / 1e6:.0f} MB", *(str(seen[name]) for name in FIGURES[1:])]
        print(f"  {number + 1:3}  {'  '.join(values)}  {time.monotonic() - begun:.1f} s")
    return found


def apart(command: list[str]) -> dict[str, int]:
    """Run in a process of its own: what it held at the end, its memory at the highest."""
    code = "import sys; from compress.cli.main import code; from soak import peak; peak(code(sys.argv[1:]))"
    paths = [str(ROOT), str(ROOT / "benchmarks"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak(code: int) -> None:
    """Print this process's figures at the end of a run, its memory at the highest."""
    from compress.bench.memory import resident

    if code not in killed_anywhere.DONE:
        raise SystemExit(code)
    print(json.dumps({**held(), "memory_bytes": resident()[1]}))


def together(command: list[str]) -> dict[str, int]:
    """Run in this process: what it holds afterwards."""
    from compress.cli.main import code

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        told, sys.stdout = sys.stdout, nowhere
        try:
            ended = code(command)
        finally:
            sys.stdout = told
    if ended not in killed_anywhere.DONE:
        raise SystemExit(ended)
    return held()


def held() -> dict[str, int]:
    """What this process holds now; glibc is asked to give back the memory that nobody holds."""
    import psutil

    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
    here = psutil.Process()
    return {
        "memory_bytes": here.memory_info().rss,
        "threads": here.num_threads(),
        "open_files": here.num_fds() if hasattr(here, "num_fds") else here.num_handles(),
    }


def growth(found: list[dict[str, int]]) -> list[str]:
    """What grew from run to run."""
    told = []
    for name in FIGURES[1:]:
        if found[-1][name] > found[1][name]:
            told.append(f"{name} grew from {found[1][name]} after the second run to {found[-1][name]} after the last")
    memory = [seen["memory_bytes"] for seen in found[len(found) // 4 :]]
    slope, _, low, high = theilslopes(memory)
    print(f"  memory: {slope / 1e6:+.2f} ({low / 1e6:+.2f} to {high / 1e6:+.2f}) MB a run ({slope / memory[0]:+.2%})")
    if low > GROWTH * memory[0]:
        told.append(f"memory grew by {slope / 1e6:.2f} MB a run")
    return told


if __name__ == "__main__":
    main()
