"""The layers a student started from."""

from collections.abc import Sequence

from compress.errors import InputError
from compress.mappings import mapping


@mapping(reads="counts")
def start(student_layers: int, teacher_layers: int, *, layers: Sequence[int]) -> tuple[int, ...]:
    """The teacher layers that the student took its first weights from: what it is like already, it goes on learning.

    Shapes: two numbers of layers and the teacher layer that each student layer started from -> the same list
    Units:  layer numbers, from 0
    Zero:   as the start was
    Source: Sanh et al. 2019 (DistilBERT), arXiv:1910.01108, section 3 (a student is started from layers of its teacher)
    Raises: InputError if the start is not one of these two models
    """
    if len(layers) != student_layers or any(not 0 <= layer < teacher_layers for layer in layers):
        listed = ", ".join(map(str, layers))
        raise InputError(
            f"layer mapping `start`: a student of {student_layers} layers did not start from layers [{listed}] of a "
            f"teacher of {teacher_layers}."
        )
    return tuple(layers)
