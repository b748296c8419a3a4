"""How long all candidates take, in the same interleaved rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.bench import timer
from compress.config import settings
from compress.config.settings.export import CALLS
from compress.data.batches import Encoded, feeds
from compress.stages.candidate import Candidate
from compress.stages.progress import Progress

_SAME_ROWS = 200

Feed = Mapping[str, NDArray[np.int64]]


def shapes(asked: settings.Measure) -> list[tuple[int, int]]:
    """Rows and tokens of the calls that are timed."""
    return [(batch, sequence) for batch in asked.batch for sequence in asked.sequence]


def shaped(rows: Encoded, batch: int, sequence: int, seed: int) -> Feed:
    """A batch of exactly this shape without padding: real rows, each repeated until it is long enough."""
    chosen = np.random.default_rng(seed).choice(len(rows), batch, replace=batch > len(rows))
    ids = np.stack([_stretched(np.asarray(rows[int(row)]["input_ids"]), sequence) for row in chosen])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return feed if rows.types is None else {**feed, "token_type_ids": np.zeros_like(ids)}


def latency(
    candidates: Sequence[Candidate], read: Mapping[str, Encoded], asked: settings.Measure, seed: int, progress: Progress
) -> list[dict[str, Any]]:
    """For each candidate the cells of the grid and the one of real rows, as the report's record has them.

    `read` are the rows as each model reads them. The first candidate is the one that speed-ups are over.
    """
    found: list[dict[str, Any]] = [{"latency": [], "same_rows": None} for _ in candidates]
    models = [candidate.model for candidate in candidates]
    plain = _plain(candidates)
    with timer.pin(asked.threads), ExitStack() as opened:
        sessions = []
        for candidate in candidates:
            sessions.append(candidate.open(asked.threads))
            opened.callback(sessions[-1].close)
        for batch, sequence in shapes(asked):
            made = {model: shaped(rows, batch, sequence, seed) for model, rows in read.items()}
            calls = {str(index): partial(session, made[models[index]]) for index, session in enumerate(sessions)}
            notify = progress.within(f"timing at {batch} x {sequence}")
            samples = timer.interleave(calls, rounds=asked.rounds, seed=seed, repeat=CALLS, notify=notify)
            for one, cell in zip(found, _cells(list(samples.values()), CALLS, seed, plain), strict=True):
                one["latency"].append(_named(cell, batch, sequence))
            progress(f"timed at {batch} x {sequence}")
        real = {model: _real(rows, seed) for model, rows in read.items()}
        turns = {str(index): _in_turn(session, real[models[index]]) for index, session in enumerate(sessions)}
        notify = progress.within("timing on real rows")
        samples = timer.interleave(turns, rounds=min(map(len, real.values())), seed=seed, warmup=0, notify=notify)
        for one, cell in zip(found, _cells(list(samples.values()), 1, seed, [None] * len(found)), strict=True):
            one["same_rows"] = _named(cell, 1, None)
        progress("timed on real rows")
    return found


def _plain(candidates: Sequence[Candidate]) -> list[int | None]:
    """For each lower precision the place of the plain one of the same model and runtime."""
    places = {candidate.id: place for place, candidate in enumerate(candidates)}
    return [places.get(f"{candidate.model} {candidate.plain}") for candidate in candidates]


def _cells(
    times: Sequence[Sequence[float]], turn: int, seed: int, plain: Sequence[int | None]
) -> Iterator[dict[str, Any]]:
    """The figures of each candidate and their intervals, all from the same rounds drawn anew."""
    drawn = [timer.redrawn(own, turn=turn, seed=seed) for own in times]
    for own, (p50, p95), beside in zip(times, drawn, plain, strict=True):
        yield {
            **asdict(timer.summary(own)),
            "speedup": timer.speedup(times[0], own),
            "p50_interval": _interval(p50),
            "p95_interval": _interval(p95),
            "speedup_interval": _interval(drawn[0][0] / p50),
            "to_plain": None
            if beside is None
            else {"value": timer.speedup(times[beside], own), **_interval(drawn[beside][0] / p50)},
        }


def _interval(drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = timer.interval(drawn)
    return {"low": low, "high": high}


def _named(cell: Mapping[str, Any], batch: int, sequence: int | None) -> dict[str, Any]:
    return {"batch": batch, "sequence": sequence, **cell, "rows_per_s": 1000 * batch / cell["p50_ms"]}


def _in_turn(session: Any, batches: list[Feed]) -> Callable[[], object]:
    """A call that answers each batch twice, then the next: once to settle, once to be timed."""
    answered = count()
    return lambda: session(batches[next(answered) // 2 % len(batches)])


def _stretched(ids: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The row's tokens over and over between its first and its last one, which are special."""
    inner = np.resize(ids[1:-1] if len(ids) > 2 else ids, length - 2)
    return np.concatenate([ids[:1], inner, ids[-1:]]).astype(np.int64)


def _real(rows: Encoded, seed: int) -> list[Feed]:
    """Single real rows, each of its own length; the same ones for every candidate."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:_SAME_ROWS]
    single = [feed for _, feed in feeds(rows, 1, order="given")]
    return [single[int(row)] for row in chosen]
