"""How the command line takes harmed files: pipelines, cards, rows, answers, reports, baselines, exports and models.

    python benchmarks/fuzz.py --cases 20000

Each case harms one file of a good project (`tests/fuzz`) and runs `check`, `plan`, `gate`, `report`, `bundle` or `bench` on
it in a process that is watched: one that dies or takes more than a minute is a fault too. Prints for each kind of file the
exit codes, the slowest case, the memory, and every fault with the number that makes it again: `--kinds data --only 123`.
Ends with 1 if there is one.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
KINDS = ("pipeline", "card", "assignment", "data", "answers", "report", "baseline", "export", "opened", "started")


class Outcome(NamedTuple):
    """How a case ended."""

    number: int
    about: str
    exit_code: int
    seconds: float
    memory_mb: int
    """Most memory that the process has held so far."""
    faults: tuple[str, ...]
    said: str


def serve(kind: str, seed: int, numbers: list[int], pipe: Connection) -> None:
    """Run cases in this process, and tell of each."""
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    from fuzz.harness import run
    from fuzz.kinds import KINDS

    with tempfile.TemporaryDirectory() as home:
        for number in numbers:
            folder = Path(home, str(number))
            folder.mkdir()
            case = KINDS[kind](Random(f"{seed} {kind} {number}"), folder)
            pipe.send((number, case.about))
            ended = run(case)
            memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            pipe.send(Outcome(number, case.about, ended.exit_code, ended.seconds, memory_mb, ended.faults, ended.said))
            shutil.rmtree(folder)
    pipe.send(None)


def watched(kind: str, seed: int, numbers: list[int]) -> Iterator[Outcome]:
    """The outcomes of cases that run in another process; a new one goes on where one was lost."""
    left = list(numbers)
    while left:
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, seed, left, theirs))
        process.start()
        theirs.close()
        number, about, fault = left[0], "start", "the process died"
        try:
            while True:
                if not ours.poll(PATIENCE_S):
                    fault = f"took more than {PATIENCE_S:.0f} s"
                    break
                told = ours.recv()
                if isinstance(told, Outcome):
                    left.remove(told.number)
                    yield told
                elif told is None:
                    break
                else:
                    number, about = told
        except EOFError:
            pass
        process.kill()
        process.join()
        if left and about == "start":
            raise SystemExit(f"{kind}: no case could be made; see above.")
        if left:
            left.remove(number)
            yield Outcome(number, about, process.exitcode or -1, PATIENCE_S, 0, (fault,), "")


def main() -> int:
    """Print the table; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="in all; each kind has its share")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one case of each kind, and what it says")
    parser.add_argument("--jobs", type=int, default=1, help="kinds that run side by side")
    arguments = parser.parse_args()
    numbers = list(range(-(-arguments.cases // len(arguments.kinds)))) if arguments.only is None else [arguments.only]

    def outcomes(kind: str) -> list[Outcome]:
        return list(watched(kind, arguments.seed, numbers))

    print(f"{'kind':<11} {'cases':>6}  {'exit codes':<34} {'slowest':>8} {'memory':>8}  faults")
    faulty: list[tuple[str, Outcome]] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for kind, found in zip(arguments.kinds, pool.map(outcomes, arguments.kinds), strict=True):
            codes = Counter(outcome.exit_code for outcome in found)
            shown = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
            slowest = max(found, key=lambda outcome: outcome.seconds)
            bad = [outcome for outcome in found if outcome.faults]
            faulty += [(kind, outcome) for outcome in bad]
            memory_mb = max(outcome.memory_mb for outcome in found)
            figures = f"{slowest.seconds:>6.1f} s {memory_mb:>5} MB {len(bad):>7}  slowest: {slowest.about}"
            print(f"{kind:<11} {len(found):>6}  {shown:<34} {figures}", flush=True)
    for kind, outcome in faulty[:50]:
        print(f"\n{kind} {outcome.number} ({outcome.about}): {'; '.join(outcome.faults)}\n{outcome.said[-1500:]}")
    if arguments.only is not None:
        print(*(outcome.said for kind in arguments.kinds for outcome in outcomes(kind)))
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
