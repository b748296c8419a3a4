"""A list of layers."""

from collections.abc import Sequence

from compress.errors import InputError


def explicit(student_layers: int, teacher_layers: int, *, layers: Sequence[int]) -> tuple[int, ...]:
    """The teacher layers that the pipeline lists itself.

    Shapes: two numbers of layers and one teacher layer for each student layer -> the same list
    Units:  layer numbers, from 0
    Zero:   no order is asked for; a layer may be listed twice
    Source: Romero et al. 2015 (FitNets), arXiv:1412.6550, section 2.2 (guided layers chosen by hand)
    Raises: InputError if the list has another length than the student, or names a layer the teacher does not have
    """
    listed = ", ".join(str(layer) for layer in layers)
    if len(layers) != student_layers:
        raise InputError(
            f"layer_mapping: [{listed}] lists {len(layers)} teacher layers for a student of {student_layers} layers. "
            f"List {student_layers} numbers from 0 to {teacher_layers - 1}."
        )
    if any(not 0 <= layer < teacher_layers for layer in layers):
        raise InputError(
            f"layer_mapping: [{listed}] names a layer that the teacher of {teacher_layers} layers does not have. "
            f"List numbers from 0 to {teacher_layers - 1}."
        )
    return tuple(layers)
