"""Models side by side: opened in one process, given the same rows, timed in interleaved rounds."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.bench import timer
from compress.encoders import external
from compress.errors import InputError, NotAvailable, Problem
from compress.files import DESCRIPTION
from compress.registry import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from compress.bench.models import Model

_TOKENS = (5, 100)
"""From which ids rows are drawn: every vocabulary has these, and none is padding."""

_REPEAT = 2


def compare(
    models: Sequence[Model],
    shapes: Sequence[tuple[int, int]],
    *,
    threads: int,
    rounds: int,
    seed: int,
    notify: timer.Notify,
) -> list[list[dict[str, Any]]]:
    """Time every model at every shape (rows, tokens), on rows without padding.

    Gives for each model a cell a shape: percentiles, rows a second, and how many times faster it is than the first model:
    the ratio of the medians, with its 95 % interval over the rounds.

    Units:  milliseconds
    Raises: InputError with every model that cannot be loaded or does not answer; NotAvailable if a target does not run here
    """
    feeds = [_rows(batch, tokens, seed) for batch, tokens in shapes]
    cells: list[list[dict[str, Any]]] = [[] for _ in models]
    with timer.pin(threads), ExitStack() as opened:
        sessions = _opened(models, threads, opened)
        _try(models, sessions, feeds)
        for (batch, tokens), feed in zip(shapes, feeds, strict=True):
            calls = {str(index): partial(session, feed) for index, session in enumerate(sessions)}
            tell = partial(_tell, notify, f"{batch} x {tokens}")
            times = [*timer.interleave(calls, rounds=rounds, seed=seed, repeat=_REPEAT, notify=tell).values()]
            for found, own in zip(cells, times, strict=True):
                latency = timer.summary(own)
                value, low, high = timer.ratio(times[0], own, turn=_REPEAT, seed=seed)
                found.append(
                    {
                        "batch": batch,
                        "sequence": tokens,
                        **asdict(latency),
                        "rows_per_s": 1000 * batch / latency.p50_ms,
                        "to_first": {"value": value, "low": low, "high": high},
                    }
                )
    return cells


def _opened(models: Sequence[Model], threads: int, opened: ExitStack) -> list[Any]:
    """A session for each model; `opened` closes them."""
    sessions, problems = [], list[Problem]()
    for model in models:
        target = TARGETS.load(model.target)
        precision = model.precision or next(iter(target.precisions))
        if reason := target.unavailable() or target.unrunnable(precision):
            raise NotAvailable(f"{model.file}: cannot be run here: {reason}")
        try:
            if model.file.suffix == ".onnx":
                external.check(model.file)
            session = target.open(model.file, model.settings, threads=threads)
        except InputError as error:
            problems += error.problems
            continue
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            if not model.settings:
                raise
            said = f"cannot be opened with the settings that its {DESCRIPTION} tells: {type(error).__name__}: {error}"
            problems.append(Problem(str(model.file), said))
            continue
        opened.callback(session.close)
        sessions.append(session)
    if problems:
        raise InputError(problems)
    return sessions


def _try(models: Sequence[Model], sessions: Sequence[Any], feeds: Sequence[Mapping[str, NDArray[np.int64]]]) -> None:
    """Let every model answer once, before anything is timed."""
    problems = []
    for model, session in zip(models, sessions, strict=True):
        for feed in feeds:
            try:
                session(feed)
            except Exception as error:  # the engines' errors share no class
                rows, tokens = feed["input_ids"].shape
                said = str(error).strip().partition("\n")[0] or type(error).__name__
                problems.append(Problem(str(model.file), f"does not answer {rows} x {tokens} tokens: {said}"))
                break
    if problems:
        raise InputError(problems)


def _rows(batch: int, tokens: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Random rows without padding."""
    ids = np.random.default_rng(seed).integers(*_TOKENS, (batch, tokens))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def _tell(notify: timer.Notify, shape: str, done: int, total: int, unit: str) -> None:
    notify(done, total, f"{shape}, {unit}")
