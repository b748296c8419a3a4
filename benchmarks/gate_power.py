"""How often the gate errs: false alarms where nothing changed, misses where a model lost twice what is allowed.

Synthetic pairs of models answer rows as models do that differ in a given share of them, half of these lost and half gained;
the worse student loses twice the allowed drop besides. Each pair is judged on so many rows, and again on other rows, as
many as the gate recommended after the first. Accuracy is judged by the score test, in 10,000 pairs a line; macro F1 and
Matthews' correlation of eight classes by the bootstrap, which takes longer, in fewer. Needs nothing but this program.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compress.metrics.f1_macro import f1_macro
from compress.metrics.mcc import mcc
from compress.statistics.bootstrap import Draws, bootstrap
from compress.statistics.evidence import Limit
from compress.statistics.paired import Cells
from compress.statistics.rows_needed import rows_needed

SIZES = (200, 500, 1000, 2000, 5000, 10000)
APART = (0.01, 0.03, 0.06, 0.12)
RIGHT = 0.9
CLASSES = 8
CONFIDENCE = 0.95
MOST_ROWS = 20000
"""Rows that a metric other than accuracy is simulated on at most."""
Judged = tuple[str, int]
"""The answer and the rows recommended."""
HEAD = (
    f"{'':8} {'rows':>6} {'differ':>7} | {'unchanged: fail':>15} {'unsure':>7} | {'lost twice: pass':>16} {'unsure':>7} | "
    f"{'recommended':>11} | {'unchanged: fail':>15} {'unsure':>7} | {'lost twice: pass':>16} {'unsure':>7} {'missed':>7}"
)


def shares(apart: float, drop: float) -> NDArray[np.float64]:
    """The shares of rows that both, the student alone, the teacher alone and neither get right."""
    gained, lost = apart / 2, apart / 2 + drop
    return np.array([RIGHT - lost, gained, lost, 1 - RIGHT - gained])


def counted(
    rows: NDArray[np.int64], apart: float, drop: float, limit: Limit, generator: np.random.Generator
) -> list[Judged]:
    """Pairs of models judged by their accuracies on so many rows each."""

    drawn = generator.multinomial(rows, shares(apart, drop), size=len(rows)).tolist()
    return [
        (cells.test(limit).answer(CONFIDENCE), rows_needed(cells, limit, CONFIDENCE) or 0)
        for cells in map(Cells._make, drawn)
    ]


def drawn_by(metric: Callable[..., object]) -> Callable[..., list[Judged]]:
    """Pairs of models judged by another metric on so many rows each."""

    def judge(
        rows: NDArray[np.int64], apart: float, drop: float, limit: Limit, generator: np.random.Generator
    ) -> list[Judged]:
        found = []
        for count in np.minimum(rows, MOST_ROWS):
            gold = generator.integers(CLASSES, size=count)
            wrong = (gold + generator.integers(1, CLASSES, size=count)) % CLASSES
            kind = generator.choice(4, size=count, p=shares(apart, drop))
            student, teacher = np.where(kind < 2, gold, wrong), np.where(kind % 2 == 0, gold, wrong)
            seen: Draws = bootstrap(metric, gold, student, teacher)
            found.append((seen.test(limit).answer(CONFIDENCE), seen.rows_needed(limit, CONFIDENCE) or 0))
        return found

    return judge


def share(judged: list[Judged], *answers: str) -> str:
    """How many of the pairs got these answers."""
    return f"{100 * sum(answer in answers for answer, _ in judged) / len(judged):.1f} %"


def line(name: str, judge: Callable[..., list[Judged]], size: int, apart: float, limit: Limit, pairs: int) -> str:
    """One line of the table: both kinds of pairs, on `size` rows and on as many as recommended."""
    generator = np.random.default_rng(size)
    allowed = (1 - limit.keep) * RIGHT + limit.drop
    first = {drop: judge(np.full(pairs, size), apart, drop, limit, generator) for drop in (0.0, 2 * allowed)}
    again = {
        drop: judge(np.array([rows for _, rows in judged]), apart, drop, limit, generator)
        for drop, judged in first.items()
    }
    cells = [f"{name:8} {size:6} {100 * apart:5.0f} % |"]
    for same, worse in (tuple(first.values()), tuple(again.values())):
        cells.append(f"{share(same, 'fail'):>15} {share(same, 'not comparable'):>7} |")
        cells.append(f"{share(worse, 'pass'):>16} {share(worse, 'not comparable'):>7}")
        if same is first[0.0]:
            cells.append(f"| {np.mean([rows for _, rows in same]):11.0f} |")
    return " ".join([*cells, f"{share(again[2 * allowed], 'pass', 'not comparable'):>7}"])


def main() -> None:
    """Print a line for each metric, size and share of rows that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs a line, of accuracy")
    parser.add_argument("--drawn-pairs", type=int, default=100, help="pairs a line, of the other metrics")
    parser.add_argument("--max-drop", type=float, default=0.01, help="allowed drop")
    options = parser.parse_args()
    began, limit = time.monotonic(), Limit(drop=options.max_drop)
    print(
        f"allowed: a drop of {options.max_drop:.4g}, confidence {CONFIDENCE:.0%}; right of it: on the recommended rows"
    )
    print(HEAD)
    for size in SIZES:
        for apart in APART:
            print(line("accuracy", counted, size, apart, limit, options.pairs), flush=True)
    for size in SIZES:
        print(line("keep 97%", counted, size, APART[1], Limit(keep=0.97), options.pairs), flush=True)
    for metric in (f1_macro, mcc):
        for size in SIZES if options.drawn_pairs else ():
            judged = drawn_by(metric)
            print(
                line(metric.__name__, judged, size, APART[1], Limit(drop=2 * options.max_drop), options.drawn_pairs),
                flush=True,
            )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
