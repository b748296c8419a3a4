"""A list of layers."""

from collections.abc import Sequence

from compress.errors import InputError
from compress.mappings import mapping


@mapping(reads="counts")
def explicit(student_layers: int, teacher_layers: int, *, layers: Sequence[int | None]) -> tuple[int | None, ...]:
    """The teacher layers that the pipeline lists itself.

    Shapes: two numbers of layers and, for each student layer, one teacher layer or None -> the same list
    Units:  layer numbers, from 0; None: learns from no layer
    Zero:   no order is asked for; a layer may be listed twice
    Source: Romero et al. 2015 (FitNets), arXiv:1412.6550, section 2.2 (guided layers chosen by hand)
    Raises: InputError if the list has another length than the student, names a layer the teacher does not have, or
        names none at all
    """
    listed = ", ".join("null" if layer is None else str(layer) for layer in layers)
    if len(layers) != student_layers:
        raise InputError(
            f"layer_mapping: [{listed}] lists {len(layers)} teacher layers for a student of {student_layers} layers. "
            f"List {student_layers} numbers from 0 to {teacher_layers - 1}."
        )
    if any(layer is not None and not 0 <= layer < teacher_layers for layer in layers):
        raise InputError(
            f"layer_mapping: [{listed}] names a layer that the teacher of {teacher_layers} layers does not have. "
            f"List numbers from 0 to {teacher_layers - 1}."
        )
    if all(layer is None for layer in layers):
        raise InputError(f"layer_mapping: [{listed}] lets no layer learn. Name a teacher layer for at least one.")
    return tuple(layers)
