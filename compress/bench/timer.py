"""Latency of several variants side by side: interleaved rounds, pinned cores, percentiles."""

import gc
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy
from numpy.typing import NDArray

from compress.bench.machine import cores
from compress.statistics.estimate import Estimate

Call = Callable[[], object]
Notify = Callable[[int, int, str], None]
Clock = Callable[[], int]
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the time of one call, in milliseconds, over `samples` calls."""

    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    samples: int


def interleave(
    calls: Mapping[str, Call],
    *,
    rounds: int,
    seed: int,
    warmup: int = 3,
    settle: int = 1,
    repeat: int = 1,
    notify: Notify | None = None,
    clock: Clock | None = None,
) -> dict[str, list[float]]:
    """Time every call in every round, in a new seeded order, so that a slow spell of the machine meets all of them.

    A turn is `settle` untimed calls, which bring a variant's own weights back into the caches as when it serves alone,
    then `repeat` timed ones; one call is one sample. The garbage collector is off while timing. `clock` gives nanoseconds.

    Units:  milliseconds; a list of `rounds * repeat` samples for each name, in the order of the rounds
    Raises: ValueError if rounds or repeat are below 1; whatever a call raises
    """
    if rounds < 1 or repeat < 1:
        raise ValueError("rounds and repeat are at least 1")
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warmup):
            call()
    order = list(calls)
    shuffle = random.Random(seed).shuffle
    with _collector_off():
        for done in range(rounds):
            gc.collect()
            shuffle(order)
            for name in order:
                samples[name] += _turn(calls[name], settle, repeat, clock or perf_counter_ns)
            if notify is not None:
                notify(done + 1, rounds, "round")
    return samples


def _turn(call: Call, settle: int, repeat: int, clock: Clock) -> list[float]:
    for _ in range(settle):
        call()
    times = []
    for _ in range(repeat):
        start = clock()
        call()
        times.append((clock() - start) / 1e6)
    return times


def redrawn(samples: Sequence[float], *, turn: int, seed: int) -> NDArray[numpy.float64]:
    """The medians and the 95th percentiles of samples whose rounds, `turn` samples each, are drawn anew (Efron 1979).

    One seed draws the same rounds for all that were timed together: a slow spell of the machine meets all of them, so that the
    ratio of two medians of one draw is that of one session.

    Shapes: samples (rounds * turn,), in the order of the rounds -> (2, 1000)
    Units:  milliseconds
    """
    given = numpy.asarray(samples, numpy.float64).reshape(-1, turn)
    rounds = len(given)
    chosen = numpy.random.default_rng(seed).integers(0, rounds, (_DRAWS, rounds))
    drawn = given[chosen].reshape(_DRAWS, -1)
    # By i / (n + 1) of n samples: what usual percentiles say of 30 rounds ends below the 95th in a fifth of all sessions.
    return numpy.quantile(drawn, (0.5, 0.95), axis=1, method="weibull")


def interval(drawn: NDArray[numpy.float64]) -> tuple[float, float]:
    """The 95 % interval of a number that was computed of each draw: (draws,) -> its ends."""
    low, high = numpy.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def ratio(before: Sequence[float], after: Sequence[float], *, turn: int, seed: int) -> Estimate:
    """How many times faster the second is: the ratio of the medians, and its 95 % interval over the rounds.

    Both hold `turn` samples a round, in the same order of rounds, see `redrawn`.
    """
    one, other = (redrawn(times, turn=turn, seed=seed)[0] for times in (before, after))
    return Estimate(speedup(before, after), *interval(one / other))


@contextmanager
def without_waits() -> Iterator[Clock]:
    """A clock, in nanoseconds, that stands still while this thread waits for a core that another program has.

    On a machine at rest it runs as the usual one. On a busy one, calls longer than a time slice wait and shorter ones don't, so
    that ratios of their times would say nothing. What other threads of a call wait is not seen; where the system does not tell
    (all but Linux), it is the usual clock.
    """
    try:
        handle = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        yield perf_counter_ns
        return

    def waited() -> int:
        return int(os.pread(handle, 128, 0).split()[1])

    def now() -> int:
        before = waited()
        while True:
            time = perf_counter_ns()
            after = waited()
            if after == before:  # no wait between the two readings
                return time - before
            before = after

    try:
        yield now
    finally:
        os.close(handle)


@contextmanager
def _collector_off() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()  # what is there now need not be looked through again between the rounds: 0.2 s each with PyTorch loaded
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def summary(samples: Sequence[float]) -> Latency:
    """The percentiles of a list of samples in milliseconds (linear interpolation between them).

    Raises: ValueError if there is no sample.
    """
    if not len(samples):
        raise ValueError("no sample to take percentiles of")
    p50, p90, p95, p99 = (float(value) for value in numpy.percentile(samples, (50, 90, 95, 99)))
    return Latency(p50, p90, p95, p99, float(numpy.mean(samples)), len(samples))


def speedup(reference: Sequence[float], samples: Sequence[float]) -> float:
    """How many times faster the samples are than the reference's of the same rounds: the ratio of the medians."""
    return float(numpy.median(reference) / numpy.median(samples))


@contextmanager
def pin(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep this process on `threads` cores and its PyTorch, where it is loaded, on as many threads; then undo both.

    Different physical cores are taken before their hyper-threads. Gives the cores' numbers; none where the operating
    system pins no process (macOS, Windows). Threads that start inside inherit the cores.

    Raises: ValueError if threads is below 1
    """
    if threads < 1:
        raise ValueError("threads is at least 1")
    torch = sys.modules.get("torch")
    torch_threads = torch.get_num_threads() if torch is not None else 0
    chosen = cores()[:threads]
    before = _place({task: set(chosen) for task in _tasks()}) if chosen else {}
    try:
        if torch is not None:
            torch.set_num_threads(threads)
        yield chosen if before else ()
    finally:
        if torch is not None:
            torch.set_num_threads(torch_threads)
        if before:
            allowed = before.get(os.getpid()) or next(iter(before.values()))
            _place({task: before.get(task, allowed) for task in _tasks()})


def _tasks() -> list[int]:
    """The ids of this process's threads: an affinity call moves one thread, not the process."""
    folder = Path("/proc/self/task")
    return [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else [0]


def _place(wanted: Mapping[int, set[int]]) -> dict[int, set[int]]:
    """Move threads to their cores; gives where they were. A thread that has ended or may not be moved is left out."""
    before: dict[int, set[int]] = {}
    if sys.platform == "linux":
        for task, allowed in wanted.items():
            try:
                here = os.sched_getaffinity(task)
                os.sched_setaffinity(task, allowed)
            except OSError:
                continue
            before[task] = here
    return before
