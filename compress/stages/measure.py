"""Measure every exported model beside the teacher: accuracy on the whole test split, latency, size, memory."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress import registry
from compress.bench import machine, memory, timer
from compress.config import settings
from compress.data import sources
from compress.data.batches import Encoded, encode, feeds
from compress.data.sources import Rows
from compress.encoders import checkpoint
from compress.encoders.families import family_of, stored
from compress.errors import ParityError
from compress.files import DESCRIPTION, read_json, write_json
from compress.report.packing import pack
from compress.report.record import REFERENCE, TEACHER
from compress.stages.context import Context
from compress.stages.material import labels_of, tokenizer_of
from compress.targets import Export, plain

MEASUREMENTS = "measurements.json"
_SAME_ROWS = 200
_REPEAT = 2


class Settings(NamedTuple):
    """What is measured, and how."""

    task: settings.Task
    measure: settings.Measure


class Needs(NamedTuple):
    """The teacher's checkpoint, and the exported folders by the steps that made them."""

    teacher: Path
    exports: Mapping[str, Path]


Feed = Mapping[str, NDArray[np.int64]]


class _Candidate(NamedTuple):
    """A model in one runtime and precision."""

    model: str
    target: str
    precision: str
    recipe: str | None
    file: Path
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    folder: Path
    """Where its tokenizer lies."""

    @property
    def id(self) -> str:
        return f"{self.model} {self.export}"

    @property
    def export(self) -> str:
        return Export(self.target, self.precision, self.recipe).id

    @property
    def plain(self) -> str | None:
        """The id of the plain precision that a lower one is compared with."""
        other = plain(registry.TARGETS.load(self.target), self.precision)
        return None if other is None else Export(self.target, other, None).id

    def open(self, threads: int) -> Any:
        return registry.TARGETS.load(self.target).open(self.file, self.settings, threads=threads)


def _splits(task: settings.Task, root: Path) -> dict[sources.Split, Rows]:
    """The rows that models learned from and are judged on."""
    named = (*sources.SPLITS, *(("unlabelled",) if task.data.unlabelled is not None else ()))
    return {split: sources.load(task, root, split) for split in named}


def _data(splits: Mapping[sources.Split, Rows], digests: Mapping[str, str]) -> dict[str, Any]:
    """What the report says of the rows."""
    learned = sources.joined([rows for split, rows in splits.items() if split in ("train", "unlabelled")])
    return {
        **{split: {"rows": len(rows), "sha256": digests[split]} for split, rows in splits.items()},
        "duplicates": sources.duplicates(learned, splits["test"]),
    }


def measure(settings: Settings, needs: Needs, context: Context) -> None:
    """Answer every test row with every export and with the teacher in PyTorch, then time them in interleaved rounds.

    Writes `measurements.json`: the machine, the rows, and one entry a variant as the report's record has them.
    """
    found = list(_candidates(needs))
    idle = {one.id: registry.TARGETS.load(one.target).unrunnable(one.precision) for one in found}
    candidates = [candidate for candidate in found if idle[candidate.id] is None]
    model = checkpoint.load(needs.teacher)
    task, threads = settings.task, settings.measure.threads
    labels = labels_of(model)
    parameters = checkpoint.parameters(model)
    del model
    splits = _splits(task, context.root)
    read = _read(candidates, splits["test"], task)
    gold = read[TEACHER].labels
    steps = _Steps(context.notify, 2 * len(candidates) + len(_shapes(settings.measure)) + 1)
    variants = []
    reference: NDArray[np.int64] | None = None
    for candidate in candidates:
        rows = read[candidate.model]
        answers = _answers(candidate, rows, task, steps.within(f"{candidate.id}: accuracy"))
        reference = answers if reference is None else reference
        steps(f"{candidate.id}: accuracy")
        samples = [_shaped(rows, *shape, context.seed) for shape in _shapes(settings.measure)]
        peak = memory.peak_bytes(candidate.target, candidate.file, candidate.settings, samples, threads)
        steps(f"{candidate.id}: memory")
        variants.append(
            {
                "model": candidate.model,
                "runtime": candidate.target,
                "precision": candidate.precision,
                "recipe": candidate.recipe,
                "quantization": candidate.facts.get("quantization"),
                "plain": candidate.plain,
                "asked": candidate.facts.get("asked", True),
                "notes": candidate.facts.get("notes", []),
                "parameters": candidate.facts.get("parameters", parameters),
                "size_bytes": candidate.facts["size_bytes"],
                "metrics": _metrics(task, answers, gold),
                "predictions": pack(answers),
                "agreement": float((answers == reference).mean()),
                "parity": candidate.facts.get("parity"),
                "peak_memory_bytes": peak,
            }
        )
    for variant, cells in zip(variants, _latencies(candidates, read, settings, context.seed, steps), strict=True):
        variant |= cells
    write_json(
        context.out / MEASUREMENTS,
        {
            "machine": asdict(machine.describe()),
            "labels": labels,
            "data": _data(splits, sources.digest(task, context.root)),
            "gold": pack(gold),
            "variants": variants,
            "unmeasured": [
                {
                    "model": candidate.model,
                    "id": candidate.export,
                    "size_bytes": candidate.facts["size_bytes"],
                    "reason": idle[candidate.id],
                }
                for candidate in found
                if idle[candidate.id] is not None and candidate.facts.get("asked", True)
            ],
        },
    )


def _read(candidates: list[_Candidate], rows: Rows, task: settings.Task) -> dict[str, Encoded]:
    """The rows as each model reads them, by its own tokenizer; with token types, which sessions may leave aside."""
    folders = {candidate.model: candidate.folder for candidate in candidates}
    return {
        model: encode(rows, tokenizer_of(folder), task, token_types=True, left=_left(folder))
        for model, folder in folders.items()
    }


def _left(folder: Path) -> bool:
    """Whether the model of an exported folder has its rows padded on the left."""
    return family_of(stored(read_json(folder / "config.json"))).reads_last


def _candidates(needs: Needs) -> Iterator[_Candidate]:
    """The teacher in PyTorch first, then the exports in their order; what two steps built is there once."""
    target, _, precision = REFERENCE.partition("-")
    facts: dict[str, Any] = {"size_bytes": (needs.teacher / "model.safetensors").stat().st_size}
    yield _Candidate(TEACHER, target, precision, None, needs.teacher, {}, facts, needs.teacher)
    candidates: dict[str, _Candidate] = {}
    for step, folder in needs.exports.items():
        description = read_json(folder / DESCRIPTION)
        for built in description["files"]:
            candidate = _Candidate(
                model=step.split("/")[1],
                target=description["target"],
                precision=built["precision"],
                recipe=built["recipe"],
                file=folder / built["file"],
                settings=built["settings"],
                facts={**built, "parameters": description["parameters"]},
                folder=folder,
            )
            # A plain precision that a step built to compare with may be one that another step was asked for.
            if built["asked"] or candidate.id not in candidates:
                candidates[candidate.id] = candidate
    yield from candidates.values()


class _Steps:
    """Counts what is done and tells it."""

    def __init__(self, notify: timer.Notify, total: int) -> None:
        self._notify, self._total, self._done = notify, total, 0

    def __call__(self, note: str) -> None:
        self._done += 1
        self._notify(self._done, self._total, note)

    def within(self, what: str) -> timer.Notify:
        """Tells how far a part is that is not done yet."""
        return lambda done, total, unit: self._notify(self._done, self._total, f"{what}, {unit} {done} of {total}")


def _answers(candidate: _Candidate, rows: Encoded, task: settings.Task, notify: timer.Notify) -> NDArray[np.int64]:
    """The answers to all rows, in their order, each row by itself, with as many threads as the machine has.

    In a batch, dynamic quantization makes an answer depend on the rows beside it.
    Raises: ParityError if a logit is NaN or infinite, which would pass for the first class
    """
    predict = registry.TASKS.load(task.type).predict
    answers = np.zeros(len(rows), np.int64)
    session = candidate.open(len(machine.cores()) or 1)
    try:
        for done, (chosen, feed) in enumerate(feeds(rows, 1), 1):
            logits = session(feed)
            if not np.isfinite(logits).all():
                raise ParityError(
                    f"{candidate.id}: answers test row {chosen[0]} (the first is 0) with NaN or infinite logits. Leave this "
                    "precision out, or try another recipe."
                )
            answers[chosen] = predict(logits)
            notify(done, len(rows), "row")
    finally:
        session.close()
    return answers


def _metrics(task: settings.Task, answers: NDArray[np.int64], gold: NDArray[np.int64]) -> dict[str, float]:
    """The task's metric first, then the others that fit."""
    allowed = registry.TASKS.load(task.type).metrics
    names = [task.metric, *(name for name in allowed if name != task.metric)]
    return {name: float(registry.METRICS.load(name)(answers, gold)) for name in names}


def _shapes(asked: settings.Measure) -> list[tuple[int, int]]:
    return [(batch, sequence) for batch in asked.batch for sequence in asked.sequence]


def _latencies(
    candidates: list[_Candidate], read: Mapping[str, Encoded], settings: Settings, seed: int, steps: _Steps
) -> list[dict[str, Any]]:
    """For each candidate the cells of the grid and the one of real rows."""
    asked = settings.measure
    found: list[dict[str, Any]] = [{"latency": [], "same_rows": None} for _ in candidates]
    models = [candidate.model for candidate in candidates]
    with timer.pin(asked.threads), ExitStack() as opened:
        sessions = []
        for candidate in candidates:
            sessions.append(candidate.open(asked.threads))
            opened.callback(sessions[-1].close)
        for batch, sequence in _shapes(asked):
            shaped = {model: _shaped(rows, batch, sequence, seed) for model, rows in read.items()}
            calls = {str(index): partial(session, shaped[models[index]]) for index, session in enumerate(sessions)}
            notify = steps.within(f"timing at {batch} x {sequence}")
            samples = timer.interleave(calls, rounds=asked.rounds, seed=seed, repeat=_REPEAT, notify=notify)
            beside = _to_plain(candidates, samples, seed)
            for index, cell in enumerate(_cells(samples, batch, sequence)):
                found[index]["latency"].append({**cell, "to_plain": beside[index]})
            steps(f"timed at {batch} x {sequence}")
        real = {model: _real(rows, seed) for model, rows in read.items()}
        turns = {str(index): _in_turn(session, real[models[index]]) for index, session in enumerate(sessions)}
        notify = steps.within("timing on real rows")
        samples = timer.interleave(turns, rounds=min(map(len, real.values())), seed=seed, warmup=0, notify=notify)
        for index, cell in enumerate(_cells(samples, 1, None)):
            found[index]["same_rows"] = cell
        steps("timed on real rows")
    return found


def _to_plain(
    candidates: list[_Candidate], samples: Mapping[str, list[float]], seed: int
) -> list[dict[str, float] | None]:
    """The speed of each lower precision beside the plain one of the same model and runtime."""
    places = {candidate.id: str(index) for index, candidate in enumerate(candidates)}
    found: list[dict[str, float] | None] = []
    for index, candidate in enumerate(candidates):
        place = places.get(f"{candidate.model} {candidate.plain}")
        if place is None:
            found.append(None)
            continue
        value, low, high = timer.ratio(samples[place], samples[str(index)], turn=_REPEAT, seed=seed)
        found.append({"value": value, "low": low, "high": high})
    return found


def _cells(samples: Mapping[str, list[float]], batch: int, sequence: int | None) -> Iterator[dict[str, Any]]:
    """The cells of one shape; the first candidate is the reference of the speed-ups."""
    times = list(samples.values())
    for own in times:
        latency = timer.summary(own)
        yield {
            "batch": batch,
            "sequence": sequence,
            **asdict(latency),
            "rows_per_s": 1000 * batch / latency.p50_ms,
            "speedup": timer.speedup(times[0], own),
        }


def _in_turn(session: Any, batches: list[Feed]) -> Callable[[], object]:
    """A call that answers each batch twice, then the next: once to settle, once to be timed."""
    answered = count()
    return lambda: session(batches[next(answered) // 2 % len(batches)])


def _shaped(rows: Encoded, batch: int, sequence: int, seed: int) -> Feed:
    """A batch of exactly this shape without padding: real rows, each repeated until it is long enough."""
    chosen = np.random.default_rng(seed).choice(len(rows), batch, replace=batch > len(rows))
    ids = np.stack([_stretched(np.asarray(rows[int(row)]["input_ids"]), sequence) for row in chosen])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return feed if rows.types is None else {**feed, "token_type_ids": np.zeros_like(ids)}


def _stretched(ids: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The row's tokens over and over between its first and its last one, which are special."""
    inner = np.resize(ids[1:-1] if len(ids) > 2 else ids, length - 2)
    return np.concatenate([ids[:1], inner, ids[-1:]]).astype(np.int64)


def _real(rows: Encoded, seed: int) -> list[Feed]:
    """Single real rows, each of its own length; the same ones for every candidate."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:_SAME_ROWS]
    single = [feed for _, feed in feeds(rows, 1, order="given")]
    return [single[int(row)] for row in chosen]
