"""The models of a pipeline, and what is known of each before it is made: by its `config.json`, its card, or the file itself."""

from contextlib import suppress
from typing import NamedTuple

from compress import files
from compress.config.pipeline import Draft
from compress.config.settings import Architecture, FurtherTeacher, Model, Student, Teacher
from compress.config.source import KeyPath
from compress.encoders import families, source, widths
from compress.errors import InputError, NotAvailable


class Outline(NamedTuple):
    """What is known of a model before it is made."""

    architecture: Architecture = Architecture()
    longest: int | None = None
    """The most tokens that its positions reach."""
    pruned: bool = False
    family: str | None = None
    embedding: int | None = None
    """The width of its word embeddings; of factored ones the rank."""
    factored: bool = False
    """Its word table is of a lower rank: no other projection stands behind it then."""
    unwhole: str | None = None
    """Why its states cannot be projected on fewer dimensions; None if they can."""


def models(draft: Draft) -> dict[KeyPath, Model]:
    """Where models of their own weights stand, with the valid ones among them."""
    teacher = draft.part(Teacher, ("teacher",), ("use", "model"))
    found: dict[KeyPath, Model] = {} if teacher is None else {("teacher", "model"): teacher.model}
    for path in draft.teachers[1:]:
        further = draft.part(FurtherTeacher, path, ("use", "model"))
        if further is not None and further.model is not None:
            found[*path, "model"] = further.model
    for name in draft.students:
        student = draft.part(Student, ("students", name), ("use", "model"))
        if student is not None and student.model is not None:
            found["students", name, "model"] = student.model
    return found


def outline(draft: Draft, path: KeyPath, model: Model) -> Outline:
    """What is known of a model: by its `config.json` if that is here, else by its card.

    Raises: InputError if it cannot be used.
    """
    if model.scratch is not None:
        if path[0] == "students":
            raise InputError("only a teacher starts from `scratch`. Leave `model` out and give `start: random`.")
        shape = model.scratch.architecture
        return Outline(shape, model.scratch.max_positions, family=model.scratch.family, embedding=shape.hidden)
    try:
        folder = source.locate(model, draft.root).path
    except NotAvailable:  # is said once nothing is wrong with the file
        folder = None
    if folder is None:
        card = draft.cards.get(path[:-1])
        same = card is not None and card.value.get("model", {}).get("hub") == model.hub
        if card is None or not same:
            return Outline()
        shape, family = Architecture(**card.value.get("architecture", {})), card.value.get("family")
        row = families.FAMILIES.get(str(family))
        return Outline(shape, family=family, embedding=shape.hidden if row and row.embedding_key is None else None)
    entry = files.read_json(folder / "config.json")
    config = families.stored(entry if isinstance(entry, dict) else {})
    architecture, longest, embedding = Architecture(), None, None
    with suppress(AttributeError, TypeError, ValueError):
        layers, hidden, heads, neurons = widths.shape_of(config)
        architecture = Architecture(layers=layers, hidden=hidden, heads=heads[0], intermediate=neurons[0])
    with suppress(AttributeError, TypeError, ValueError):
        longest = widths.max_length(config)
    with suppress(AttributeError, TypeError, ValueError):
        embedding = widths.embedding_width(config)
    pruned = widths.pruned_of(config)
    factored = pruned is not None and pruned.embedding_rank is not None
    unwhole = None if pruned is None else pruned.unwhole
    return Outline(architecture, longest, pruned is not None, config.model_type, embedding, factored, unwhole)


def reshaped(teacher: Outline, asked: Architecture) -> Outline:
    """What is known of a student that takes its teacher's shape but for what is asked, as `widths.configured` does."""
    whole, embedding = teacher.architecture, teacher.embedding
    if asked.hidden is not None and embedding == whole.hidden:
        embedding = None if embedding is None else asked.hidden
    shape = whole.model_copy(update=asked.model_dump(exclude_none=True))
    return Outline(shape, family=teacher.family, embedding=embedding)
