"""What each model says of the rows; kept, so that no model that answered all of them is asked again."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from compress import registry
from compress.bench import machine, timer
from compress.config import settings
from compress.data.batches import Encoded, feeds
from compress.errors import NotFinite
from compress.files import text_digest
from compress.stages.candidate import Candidate
from compress.stages.context import Context
from compress.store import seal


class Answers(NamedTuple):
    """What a model says of all rows."""

    ids: NDArray[np.int64]
    """(rows,) what the task makes of the logits."""
    logits: NDArray[np.float32] | None
    """(rows, classes), where their softmax is the classes' probability."""


def answers(
    candidate: Candidate, rows: Encoded, task: settings.Task, context: Context, notify: timer.Notify
) -> Answers:
    """The answers to all rows, in their order, each row by itself, with as many threads as the machine has.

    In a batch, dynamic quantization makes an answer depend on the rows beside it. When all rows are answered, the work
    folder keeps the answers: a stage that goes on after an interruption reads them there.
    Raises: NotFinite
    """
    path = context.work / "answers" / f"{text_digest(candidate.id)[:32]}.safetensors"
    if seal.kept(_seal(path), context.notify) is None:
        _write(path, _asked(candidate, rows, task, notify))
        seal.write(_seal(path), {"model": candidate.id, "files": seal.facts(path.parent, [path.name])})
    found = safetensors.numpy.load_file(path)
    return Answers(found["ids"], found.get("logits"))


def _asked(candidate: Candidate, rows: Encoded, task: settings.Task, notify: timer.Notify) -> Answers:
    kind = registry.TASKS.load(task.type)
    ids, logits = np.zeros(len(rows), np.int64), None
    session = candidate.open(len(machine.cores()) or 1)
    try:
        for done, (chosen, feed) in enumerate(feeds(rows, 1), 1):
            given = session(feed)
            if not np.isfinite(given).all():
                raise NotFinite(_not_finite(candidate, int(chosen[0]), task, given))
            ids[chosen] = kind.predict(given)
            if kind.probabilities:
                logits = np.empty((len(rows), given.shape[-1]), np.float32) if logits is None else logits
                logits[chosen] = given
            notify(done, len(rows), "row")
    finally:
        session.close()
    return Answers(ids, logits)


def _not_finite(candidate: Candidate, row: int, task: settings.Task, given: NDArray[np.floating]) -> str:
    seen = ", ".join(f"{value:g}" for value in given.ravel()[:4])
    todo = "Train it anew." if candidate.target == "pytorch" else "Leave this precision out, or try another recipe."
    return f"{candidate.id}: the logits of row {row + 1} of {task.data.split('test')} are no finite numbers: {seen}. {todo}"


def _write(path: Path, found: Answers) -> None:
    path.parent.mkdir(exist_ok=True)
    safetensors.numpy.save_file({name: value for name, value in found._asdict().items() if value is not None}, path)


def _seal(path: Path) -> Path:
    return path.with_suffix(seal.SUFFIX)
