"""The bottom of the teacher."""

from compress.errors import InputError
from compress.mappings import mapping


@mapping(reads="counts")
def first(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """The teacher's first layers in order: 12 to 4 gives 0, 1, 2, 3.

    Shapes: two numbers of layers -> one teacher layer for each student layer
    Units:  layer numbers, from 0
    Zero:   rises by 1 at each step, the first for the first
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 4 (mapping functions, "bottom")
    Raises: InputError if the student has more layers than the teacher, or none
    """
    if not 1 <= student_layers <= teacher_layers:
        raise InputError(
            f"layer mapping `first`: a student of {student_layers} layers and a teacher of {teacher_layers}. "
            "The student needs 1 to as many layers as the teacher; `uniform` takes more."
        )
    return tuple(range(student_layers))
