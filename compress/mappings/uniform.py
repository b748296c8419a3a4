"""Evenly spread layers."""

from compress.errors import InputError
from compress.mappings import mapping


@mapping(reads="counts")
def uniform(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Teacher layers evenly spread, the last one for the student's last: 12 to 4 gives 2, 5, 8, 11.

    Shapes: two numbers of layers -> one teacher layer for each student layer
    Units:  layer numbers, from 0
    Zero:   never falls; rises at each step unless the student has more layers
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 4 (mapping functions); rounded where it does not divide
    Raises: InputError if a model has no layer
    """
    if student_layers < 1 or teacher_layers < 1:
        raise InputError(f"uniform mapping of {student_layers} to {teacher_layers} layers: each needs at least 1.")
    ends = (
        (2 * layer * teacher_layers + student_layers) // (2 * student_layers) for layer in range(1, student_layers + 1)
    )
    return tuple(max(end, 1) - 1 for end in ends)
