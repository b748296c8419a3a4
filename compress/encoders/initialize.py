"""A student's first weights, taken from its teacher."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.encoders import families, modules, widths
from compress.encoders.projection import project
from compress.encoders.start import refused
from compress.encoders.watch import head
from compress.errors import InputError

Start = Literal["layers", "pca", "random"]


def first_weights(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    *,
    start: Start,
    layers: tuple[int, ...],
    batches: Iterable[Mapping[str, Tensor]] = (),
) -> None:
    """Set a student's weights, in place, from those of a fine-tuned teacher with the same vocabulary and labels.

    `layers[i]` is the teacher layer (from 0) that student layer i starts from; a shared layer (ALBERT) serves them all.
    `layers` copies embeddings, those layers and the task head: for students of the teacher's width, heads and neurons.
    `pca` projects them (see `projection.project`): for narrower students, and for the teacher's width too, where it
    also bridges the layers left out; it looks at `batches`, of which some hundred training rows are plenty.
    `random` leaves the student as it is.
    Raises: InputError if the two cannot be matched, or if `pca` gets no batch.
    """
    if start == "random":
        return
    _check(student, teacher, start, layers)
    if start == "pca":
        project(student, teacher, layers, batches)
    else:
        _copy(student, teacher, layers)


class _Pair(NamedTuple):
    """A module of the student and the one it starts from; `name` says what it is."""

    name: str
    student: nn.Module
    teacher: nn.Module


def _copy(student: PreTrainedModel, teacher: PreTrainedModel, chosen: Sequence[int]) -> None:
    sizes = [widths.head_size(model.config) for model in (student, teacher)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"the student cannot start from copied layers: its heads are {sizes[0]} wide and the teacher's {sizes[1]}. "
            "Give it the teacher's shape, or `start: pca`."
        )
    pairs = list(_pairs(student, teacher, chosen))
    for pair in pairs:
        large, small = (_shapes(module) for module in (pair.teacher, pair.student))
        for name in sorted({*large, *small}):
            if large.get(name) != small.get(name):
                raise InputError(
                    f"the student cannot start from copied layers: {name} of {pair.name} is {small.get(name, 'not there')} "
                    f"in the student and {large.get(name, 'not there')} in the teacher. "
                    "Give it the teacher's shape, or `start: pca`."
                )
    for pair in pairs:
        pair.student.load_state_dict(pair.teacher.state_dict())


def _pairs(student: PreTrainedModel, teacher: PreTrainedModel, chosen: Sequence[int]) -> Iterator[_Pair]:
    for group in (modules.embeddings, modules.extras):
        for (name, small), large in zip(group(student)._asdict().items(), group(teacher), strict=True):
            if small is not None or large is not None:
                what = f"the embeddings' {name}" if group is modules.embeddings else f"the {name.replace('_', ' ')}"
                yield _Pair(what, small or nn.Identity(), large or nn.Identity())
    ends, sources = modules.layers(student), modules.layers(teacher)
    shared = families.family_of(teacher).shared_layers
    for index, end in enumerate(ends):
        yield _Pair(f"layer {index}", end, sources[0 if shared else chosen[index]])
    for small, large in zip(head(student), head(teacher), strict=True):
        yield _Pair("the task head", small, large)


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def _check(student: PreTrainedModel, teacher: PreTrainedModel, start: Start, chosen: Sequence[int]) -> None:
    row = families.family_of(teacher)
    if families.family_of(student) is not row:
        raise InputError(
            f"a {student.config.model_type} student cannot take its first weights from a {row.model_type} teacher."
        )
    count, deep = widths.calls(student.config), widths.calls(teacher.config)
    if len(chosen) != count:
        raise InputError(f"start_layers: {len(chosen)} layers are given for a student of {count}.")
    if wrong := [layer for layer in chosen if not 0 <= layer < deep]:
        raise InputError(f"start_layers: the teacher's layers are 0 to {deep - 1}, not {wrong[0]}.")
    for name, key in (("token", "word"), ("position", "position"), ("token type", "token_type")):
        small, large = (getattr(modules.embeddings(model), key) for model in (student, teacher))
        if large is not None and small.num_embeddings != large.num_embeddings:
            raise InputError(
                f"the student has {small.num_embeddings} {name} embeddings and the teacher {large.num_embeddings}: "
                "it can take its first weights from a teacher with the same vocabulary and positions only."
            )
    heads = [
        (int(getattr(model.config, row.hidden_key)), int(getattr(model.config, row.heads_key)))
        for model in (student, teacher)
    ]
    if what := refused(row, start, chosen, (heads[0], heads[1])):
        raise InputError(what)
    for key in row.one_a_layer:
        kinds = getattr(student.config, key), getattr(teacher.config, key)
        if wrong := [index for index, layer in enumerate(chosen) if kinds[0][index] != kinds[1][layer]]:
            own, other = kinds[0][wrong[0]], kinds[1][chosen[wrong[0]]]
            raise InputError(
                f"{key}: layer {wrong[0]} of the student is {own}, and the teacher's it starts from {other}."
            )
    if student.config.num_labels != teacher.config.num_labels:
        raise InputError(
            f"the student has {student.config.num_labels} labels and the teacher {teacher.config.num_labels}."
        )
    small, large = (int(getattr(model.config, row.hidden_key)) for model in (student, teacher))
    if small > large:
        raise InputError(f"a student of width {small} cannot take its first weights from a teacher of width {large}.")
    small, large = (modules.embeddings(model).word.embedding_dim for model in (student, teacher))
    if small > large and modules.embeddings(student).projection is not None:
        raise InputError(f"the student's embeddings are {small} wide and the teacher's only {large}.")
