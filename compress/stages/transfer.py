"""The rows that a student learns from: labelled ones, and others that only its teacher answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from compress.config.settings import Distill, Origin, Task, declared
from compress.data import sources
from compress.data.sources import Rows

AUGMENTED = "augmented.jsonl"
"""The file of new rows in the artifact of `augment`."""


class Transfer(NamedTuple):
    """Rows of several origins, one after the other."""

    rows: Rows
    parts: Mapping[Origin, range]
    """Which of them come from where."""


def transfer(task: Task, distill: Distill, augmented: Path | None, root: Path) -> Transfer:
    """The rows that the trainings of a student ask for, of all that there are.

    Augmented rows have no label either: a replaced word can turn the meaning, as `good` for `bad` does, so that the
    label of the row they were made from may be wrong. The teacher, asked anew, answers what now is there.
    """
    found: list[Rows] = []
    parts: dict[Origin, range] = {}
    for origin in distill.origins(declared(task.data.unlabelled is not None, augmented is not None)):
        if origin != "augmented":
            rows = sources.load(task, root, origin)
        elif augmented is not None:
            rows = sources.load_texts(augmented / AUGMENTED, pairs=task.text_pair is not None)
        begin = sum(len(one.labels) for one in found)
        parts[origin] = range(begin, begin + len(rows.labels))
        found.append(rows)
    return Transfer(sources.joined(found), parts)
