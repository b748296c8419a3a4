"""A file of a teacher's answers on the training rows. Imports no torch."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compress.data import formats, sources
from compress.errors import InputError, Problem

LEAST = 1e-6
"""The logarithm of a smaller probability is taken for that of this one."""
_OFF = 0.01
"""How far a row's probabilities may sum up beside 1: files hold rounded numbers."""


class _Read(NamedTuple):
    logits: dict[int, list[float]]
    wrong: list[formats.Wrong]


def check(given: str, root: Path, labels: Sequence[str], rows: int | None) -> list[Problem]:
    """Everything wrong with a file of answers, with `file:line`; 20 mistakes are named, the rest counted.

    `rows` is the number of training rows; None if it is not known here.
    """
    return _problems(given, _read(given, root, labels, rows))


def load(given: str, root: Path, labels: Sequence[str], rows: int) -> list[list[float]]:
    """The logits of all training rows, in their order; those of probabilities are their logarithms.

    The file has a record for each training row: its number `row`, from 0, and `logits` or `probabilities`, as a list in
    the order of the labels or as an object of numbers by label.
    Raises: InputError with every record that cannot be used and all rows without one.
    """
    read = _read(given, root, labels, rows)
    if read.wrong:
        raise InputError(_problems(given, read))
    return [read.logits[row] for row in range(rows)]


def _problems(given: str, read: _Read) -> list[Problem]:
    wrong = sorted(read.wrong, key=lambda fault: fault[0] or 0)
    shown = wrong[: sources.SHOWN]
    problems = [Problem(given if line is None else f"{given}:{line}", what) for line, what in shown]
    if len(wrong) > len(shown):
        problems.append(Problem(given, f"and {len(wrong) - len(shown)} more."))
    return problems


def _read(given: str, root: Path, labels: Sequence[str], rows: int | None) -> _Read:
    try:
        records, wrong = formats.records(root / given)
    except OSError as error:
        return _Read({}, [(None, sources.unreadable(root / given, error))])
    logits: dict[int, list[float]] = {}
    lines: dict[int, int] = {}
    for line, record in records:
        row = record.get("row")
        faults = list(_misplaced(record, row, rows, lines))
        if not faults:
            assert isinstance(row, int)
            lines[row] = line
            answer = _answer(record, labels)
            faults = [answer] if isinstance(answer, str) else []
            logits[row] = [] if isinstance(answer, str) else answer
        wrong += [(line, fault) for fault in faults]
    missing = [row for row in range(rows or 0) if row not in lines]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        wrong.append((None, f"{len(missing)} of {rows} training rows are not answered: row {shown}."))
    return _Read(logits, wrong)


def _misplaced(record: dict[str, Any], row: Any, rows: int | None, lines: dict[int, int]) -> Iterator[str]:
    """What is wrong with a record's number."""
    if "row" not in record:
        yield "no `row`: the number of the training row, from 0."
    elif isinstance(row, bool) or not isinstance(row, int) or row < 0:
        yield f"`row` is {_shown(row)}. Give the number of the training row, from 0."
    elif rows is not None and row >= rows:
        yield f"there is no training row {row}; they are 0 to {rows - 1}."
    elif row in lines:
        yield f"row {row} is answered in line {lines[row]} already."


def _answer(record: dict[str, Any], labels: Sequence[str]) -> list[float] | str:
    """A record's logits, or what is wrong with them."""
    kinds = [kind for kind in ("logits", "probabilities") if record.get(kind) is not None]
    if len(kinds) != 1:
        return (
            f"{'both' if kinds else 'neither'} `logits` {'and' if kinds else 'nor'} `probabilities`. Give one of them."
        )
    kind, value = kinds[0], record[kinds[0]]
    if isinstance(value, list) and value and all(isinstance(pair, tuple) for pair in value):  # a Parquet map
        value = dict(value)
    names = ", ".join(f"`{label}`" for label in labels)
    if isinstance(value, dict):
        if set(value) != set(labels):
            return f"`{kind}` are of {', '.join(f'`{name}`' for name in value)}; the labels are {names}."
        value = [value[label] for label in labels]
    if not isinstance(value, list) or not all(map(_number, value)):
        return f"`{kind}` is {_shown(value)}. Give finite numbers: a list, or an object by label."
    if len(value) != len(labels):
        return f"`{kind}` has {len(value)} numbers for {len(labels)} labels: {names}."
    numbers = [float(number) for number in value]
    if kind == "logits":
        return numbers
    if not all(0 <= number <= 1 for number in numbers) or abs(sum(numbers) - 1) > _OFF:
        return f"`probabilities` is {_shown(value)}. Give numbers from 0 to 1 that sum up to 1."
    return [math.log(max(number, LEAST)) for number in numbers]


def _number(value: Any) -> bool:
    # An integer of JSON may be larger than any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:60]
