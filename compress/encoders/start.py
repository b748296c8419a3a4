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


def refused(row: Family, start: str, chosen: Sequence[int] | None = None) -> str | None:
    """Why a student of a family cannot start so (`layers` or `pca`) from its teacher; None if it can.

    `chosen` are the teacher layers that its layers start from, if known.
    """
    reason = dict(row.refuses).get("pca") if start == "pca" else None
    if reason:
        return (
            f"a {row.model_type} student cannot start by `pca`: {reason}. Give it the teacher's width, heads and neurons "
            "and `start: layers`, or `start: random`."
        )
    if start != "random" and row.pre_norm and chosen and (chosen[0] != 0 or 0 in chosen[1:]):
        return (
            f"a {row.model_type} student cannot start from the teacher's layers {', '.join(map(str, chosen))}: the first "
            "has no attention norm and can be a first layer only. Give `start_layers` that begin with 0, or "
            "`start: random`."
        )
    return None
