"""How a student may start from its teacher. Imports no torch."""

from collections.abc import Sequence

from compress.encoders.family import Family


def evenly(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Teacher layers (from 0) for a student to start from: evenly spread, the first and the last among them.

    3 of 6 are 0, 2, 5 (of all choices that keep the last, the one that answers best untrained); 6 of 12 are those of
    DistilBERT: 0, 2, 4, 7, 9, 11. A single layer is the last.
    """
    if student_layers == 1:
        return (teacher_layers - 1,)
    steps = student_layers - 1
    # halves go down
    return tuple(-(-(2 * place * (teacher_layers - 1) - steps) // (2 * steps)) for place in range(student_layers))


Heads = tuple[int | None, int | None]
"""A model's hidden width and number of heads, if known."""


def refused(
    row: Family,
    start: str,
    chosen: Sequence[int] | None = None,
    heads: tuple[Heads, Heads] = ((None, None), (None, None)),
) -> str | None:
    """Why a student of a family cannot start so (`layers` or `pca`) from its teacher; None if it can.

    `chosen` are the teacher layers that its layers start from, if known; `heads` the student's and the teacher's.
    """
    reason = dict(row.refuses).get("pca") if start == "pca" else None
    if reason:
        return (
            f"a {row.model_type} student cannot start by `pca`: {reason}. Give it the teacher's width, heads and neurons "
            "and `start: layers`, or `start: random`."
        )
    if start == "pca" and row.rotary and (what := _other_turns(row, *heads)):
        return what
    if start != "random" and row.pre_norm and chosen and (chosen[0] != 0 or 0 in chosen[1:]):
        return (
            f"a {row.model_type} student cannot start from the teacher's layers {', '.join(map(str, chosen))}: the first "
            "has no attention norm and can be a first layer only. Give `start_layers` that begin with 0, or "
            "`start: random`."
        )
    return None


def _other_turns(row: Family, student: Heads, teacher: Heads) -> str | None:
    """Why the heads of a student that turns its queries and keys by their positions cannot be those of its teacher."""
    (hidden, heads), (wide, many) = student, teacher
    if not hidden or not heads or not wide or not many or hidden % heads or hidden > wide:
        return None  # not known, or refused anyway
    size = wide // many
    if hidden // heads == size:
        return None
    to_do = f"`heads: {hidden // size}`" if hidden % size == 0 else f"a `hidden` of {size} by the number of `heads`"
    return (
        f"a {row.model_type} student cannot start by `pca` with heads {hidden // heads} wide from a teacher's of {size}: "
        f"positions turn each dimension of a head at a rate of its own. Give {to_do}, or `start: random`."
    )
