"""The rows that a student learns from: labelled ones, and others that only its teacher answers."""

from collections.abc import Sequence
from pathlib import Path

from compress.config.settings import Origin, Task, declared
from compress.data import sources
from compress.data.sources import Rows

AUGMENTED = "augmented.jsonl"
"""The file of new rows in the artifact of `augment`."""


def transfer(task: Task, data: Sequence[Origin] | None, augmented: Path | None, root: Path) -> Rows:
    """The rows of all origins that are asked for (of all that there are, if `data` is None), one after the other.

    Augmented rows have no label either: a replaced word can turn the meaning, as `good` for `bad` does, so that the
    label of the row they were made from may be wrong. The teacher, asked anew, answers what now is there.
    """
    parts = []
    for origin in data or declared(task.data.unlabelled is not None, augmented is not None):
        if origin == "augmented":
            assert augmented is not None
            parts.append(sources.load_texts(augmented / AUGMENTED, pairs=task.text_pair is not None))
        else:
            parts.append(sources.load(task, root, origin))
    return sources.joined(parts)
