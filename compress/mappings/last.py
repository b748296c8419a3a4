"""The top of the teacher."""

from compress.errors import InputError
from compress.mappings import mapping


@mapping(reads="counts")
def last(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """The teacher's last layers in order: 12 to 4 gives 8, 9, 10, 11.

    Shapes: two numbers of layers -> one teacher layer for each student layer
    Units:  layer numbers, from 0
    Zero:   rises by 1 at each step, the last for the last
    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, section 4 (mapping functions, "top")
    Raises: InputError if the student has more layers than the teacher, or none
    """
    if not 1 <= student_layers <= teacher_layers:
        raise InputError(
            f"layer mapping `last`: a student of {student_layers} layers and a teacher of {teacher_layers}. "
            "The student needs 1 to as many layers as the teacher; `uniform` takes more."
        )
    return tuple(range(teacher_layers - student_layers, teacher_layers))
