"""A run that is killed again and again, beside one that is not: the same weights, files and report?

    python benchmarks/killed_anywhere.py                                  # the quickstart, 100 kills
    python benchmarks/killed_anywhere.py pipeline.yaml --interrupt --kills 20

Copies the pipeline's folder twice. In one copy it runs undisturbed; in the other its process group is killed (SIGKILL) at
moments drawn from the first run's timeline, starting up included, and started again until it is done. After each kill
every artifact, checkpoint and cache that would be read is checked by its digests. In the end all files of all artifacts
must be equal bit for bit; of JSON, all but what tells of times, of memory, and of settings that are chosen by timing.
What is drawn from the report (its pages, its picture) is not compared.

With `--interrupt` the process gets SIGINT in place of SIGKILL, and must have gone within 2 seconds, with exit code 130.
Exits with 1 if anything differs, is damaged or takes longer.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TIMED = {"created", "seconds", "latency", "same_rows", "peak_memory_bytes"}
"""Keys of JSON files below which measured times and memory stand."""
CHOSEN = {"settings"}
"""Those of exports whose values are chosen by timing."""
DRAWN = {"report.html", "report.md", "picture.svg"}
START = "start"
DONE = (0, 1, 3)
"""Exit codes of a run that came to its report, whatever the gate says."""
LIMIT_S = 2.0


@dataclass
class Process:
    """A run, with the seconds at which each of its steps began."""

    command: list[str]
    folder: Path
    began: float = field(default_factory=time.monotonic)
    begun: dict[str, float] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

        self.ended = False

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip())
                if line.startswith("> "):
                    self.begun[line.split()[1]] = time.monotonic() - self.began
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    @property
    def step(self) -> str:
        """The step it is in."""
        return next(reversed(self.begun), START)

    def wait_for(self, steps: list[str], share: float, seconds: dict[str, float]) -> None:
        """Wait until it is in one of the steps, then for a share of the seconds that one takes, or for its end."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or self.step in steps)
            now = self.step
            self.changed.wait_for(lambda: self.ended or self.step != now, share * seconds[now])

    def end(self) -> int:
        """Wait for its end; gives the exit code."""
        self.reader.join()
        return self.process.wait()

    def send(self, number: int, group: bool) -> None:
        """Send it a signal, or its whole group."""
        (os.killpg if group else os.kill)(self.process.pid, number)


@dataclass
class Told:
    """What was seen."""

    hits: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    starts: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> None:
    """Print the table; exit with 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", nargs="?", type=Path, default=ROOT / "pipeline.yaml")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="kept, unlike the folder made by default")
    parser.add_argument("--interrupt", action="store_true", help="SIGINT in place of SIGKILL")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for `compress run`")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell had it ignore, children would ignore
    with tempfile.TemporaryDirectory() as made:
        work = asked.work or Path(made)
        whole, killed = (project(asked.pipeline, work / name) for name in ("whole", "killed"))
        command = [sys.executable, "-P", "-m", "compress", "run", asked.pipeline.name]
        command += [part for value in asked.set for part in ("--set", value)]
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        first = Process(command, whole)
        if first.end() not in DONE:
            raise SystemExit("\n".join(first.lines))
        total = time.monotonic() - first.began
        print(
            f"undisturbed: {total:.0f} s, {len(first.begun)} steps, the first after {min(first.begun.values()):.1f} s"
        )
        told, compared = disturbed(command, killed, first, total, asked, run_of(whole))
        table(told, first, total)
        print(f"compared: {compared}")
    print("\n".join(told.faults) or "nothing differs, nothing was damaged")
    raise SystemExit(bool(told.faults))


def project(pipeline: Path, folder: Path) -> Path:
    """A copy of a pipeline's folder."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("runs", ".*", "__pycache__", "node_modules", "*.egg-info")
    return Path(shutil.copytree(pipeline.absolute().parent, folder, ignore=ignored))


def run_of(folder: Path) -> Path:
    """The run of a copy."""
    (found,) = (folder / "runs").iterdir()
    return found


def disturbed(
    command: list[str], folder: Path, first: Process, total: float, asked: argparse.Namespace, whole: Path
) -> tuple[Told, str]:
    """Kill a run until the moments are used up and it is done, several times over if need be; compare what comes out."""
    draw, told, compared = random.Random(asked.seed), Told(), ""
    seconds = durations(first, total)
    order = list(seconds)
    drawn = draw.choices(range(len(order)), list(seconds.values()), k=asked.kills)
    left = sorted((place, draw.random()) for place in drawn)
    while True:
        told.starts += 1
        running = Process(command, folder)
        if left:
            place, share = left[0]
            running.wait_for(order[place:], share, seconds)
        if left and running.process.poll() is None:
            left.pop(0)
            stop(running, told, interrupt=asked.interrupt)
            if (folder / "runs").is_dir():
                found = damage(run_of(folder))
                told.faults += found
                print("".join(f"    damaged: {what}\n" for what in found), end="")  # seen though this is stopped later
            continue
        ended = running.end()
        if ended not in DONE:
            told.faults += [f"exit code {ended} after a kill:", *running.lines[-5:]]
            return told, compared
        differences, compared = compare(whole, run_of(folder))
        told.faults += differences
        if not left:
            return told, compared
        shutil.rmtree(folder / "runs")  # it was done before the last moments came: once more for these


def durations(first: Process, total: float) -> dict[str, float]:
    """The seconds of starting up and of each step."""
    begins = {START: 0.0, **first.begun}
    ends = [*list(begins.values())[1:], total]
    return {step: end - begin for (step, begin), end in zip(begins.items(), ends, strict=True)}


def stop(running: Process, told: Told, *, interrupt: bool) -> None:
    """End a process by a signal, and see that it ends as it should."""
    step, begun = running.step, time.monotonic()
    told.hits[step] += 1
    inside = begun - running.began - running.begun.get(step, 0.0)
    running.send(signal.SIGINT if interrupt else signal.SIGKILL, group=not interrupt)
    code = running.end()
    told.seconds.append(time.monotonic() - begun)
    said = f"gone after {told.seconds[-1]:.2f} s: {running.lines[-1:]}" if interrupt else ""
    print(f"  {step:<34}{inside:7.1f} s after its start  {said}")
    if interrupt and (told.seconds[-1] > LIMIT_S or code != 130):
        told.faults.append(f"in {running.step}: exit code {code} after {told.seconds[-1]:.2f} s: {running.lines[-1:]}")


def damage(run: Path) -> list[str]:
    """What would be read and is not whole: artifacts by their manifests, half-done work by its seals."""
    from compress.store import artifact, seal

    found: list[str | None] = []
    for folder in artifacts(run):
        made = artifact.read(folder)
        found.append(made.damage(contents=True) if made else f"{folder}: no manifest")
    for path in run.glob(f".work/**/*{seal.SUFFIX}"):
        steps = path.relative_to(run / ".work").parents
        if not any((run / step / artifact.MANIFEST).is_file() for step in steps):  # done: its work is being removed
            found.append(seal.fault(path))
    found += [seal.fault(path) for path in run.glob(artifact.LOCK)]
    return [what for what in found if what]


def artifacts(run: Path) -> list[Path]:
    """The folders that have a manifest, drafts and half-done work aside."""
    from compress.store.artifact import MANIFEST

    folders = [path.parent for path in run.rglob(MANIFEST)]
    return sorted(
        folder for folder in folders if not any(part.startswith(".") for part in folder.relative_to(run).parts)
    )


def compare(one: Path, other: Path) -> tuple[list[str], str]:
    """What differs between two runs of one pipeline, and a line that says what was compared."""
    places = [{str(folder.relative_to(run)) for folder in artifacts(run)} for run in (one, other)]
    found = [f"{name}: only in one run" for name in sorted(places[0] ^ places[1])]
    counts: Counter[str] = Counter(artifacts=len(places[0]))
    for name in sorted(places[0] & places[1]):
        files = [{str(path.relative_to(run / name)) for path in (run / name).rglob("*")} for run in (one, other)]
        found += [f"{name}/{file}: only in one run" for file in sorted(files[0] ^ files[1])]
        for file in sorted(files[0] & files[1]):
            pair = [run / name / file for run in (one, other)]
            if pair[0].is_dir() or pair[0].name in DRAWN:
                continue
            texts = [read(path) for path in pair]
            counts["JSON files" if pair[0].suffix == ".json" else "files bit for bit"] += 1
            if texts[0] != texts[1]:
                found.append(f"{name}/{file}: differs")
    return found, ", ".join(f"{count} {what}" for what, count in counts.items())


def read(path: Path) -> Any:
    """A file's bytes, or the value of a JSON file without what differs between two runs."""
    if path.suffix != ".json":
        return path.read_bytes()
    value = json.loads(path.read_text(encoding="utf-8"))
    if path.name == "manifest.json":  # the digests are those of the files, which are compared themselves
        parts = {part: value for part, value in value["parts"].items() if not part.startswith("input.")}
        return value["stage"], parts, sorted(value["files"])
    return untimed(value, TIMED | (CHOSEN if path.name in ("export.json", "preprocess.json") else set()))


def untimed(value: Any, timed: set[str]) -> Any:
    """A value of JSON without these keys."""
    if isinstance(value, dict):
        return {key: untimed(inner, timed) for key, inner in value.items() if key not in timed}
    return [untimed(inner, timed) for inner in value] if isinstance(value, list) else value


def table(told: Told, first: Process, total: float) -> None:
    """Print where it was stopped."""
    print(f"\n{'stopped in':<36}{'times':>6}{'of its seconds':>16}")
    for step, seconds in durations(first, total).items():
        print(f"{step:<36}{told.hits[step]:>6}{seconds:>16.1f}")
    print(f"\n{sum(told.hits.values())} stops, {told.starts} starts", end="")
    if told.seconds:
        print(
            f"; gone after {statistics.median(told.seconds):.2f} s (median), {max(told.seconds):.2f} s at most", end=""
        )
    print()


if __name__ == "__main__":
    main()
