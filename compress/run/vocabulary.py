"""Tokenizers that do not fit, found before anything runs, as far as their `tokenizer.json` is here."""

from collections.abc import Iterator
from typing import Any

from compress import files, registry
from compress.config.pipeline import Draft
from compress.config.settings import Distill, Model, Prune, Student, Teacher
from compress.data import pieces
from compress.data.pieces import Entry
from compress.encoders import source
from compress.errors import InputError, NotAvailable, Problem
from compress.losses import PREDICTIONS
from compress.run import marks


def problems(draft: Draft) -> Iterator[Problem]:
    """Losses that compare the inside of models with different tokens, and vocabularies that cannot be cut so."""
    teacher = draft.part(Teacher, ("teacher",), ("use", "model"))
    if teacher is None:
        return
    for name in draft.students:
        path = ("students", name)
        student = draft.part(Student, path, ("use", "model"))
        learned = draft.part(Distill, (*path, "distill"), ("losses", "phases"))
        prune = draft.part(Prune, (*path, "prune"), ("vocabulary",))
        own = None if student is None else student.model
        if own is not None and learned is not None and foreign(draft, own, teacher.model):
            answers = [name for name in registry.LOSSES.names() if marks.reads(name) in PREDICTIONS]
            for key, loss in learned.named.items():
                if marks.reads(loss) not in (None, *PREDICTIONS):
                    place = (int(part) if part.isdigit() else part for part in key.split("."))
                    yield Problem(draft.document.where((*path, "distill", *place)), pieces.foreign(answers))
        if student is not None and prune is not None and prune.vocabulary is not None:
            fault = _size(draft, own or teacher.model, prune.vocabulary.size)
            if fault is not None:
                written = draft.document.value["students"][name]["prune"]["vocabulary"]
                below = ("size",) if isinstance(written, dict) and prune.vocabulary.size is not None else ()
                yield Problem(draft.document.where((*path, "prune", "vocabulary", *below)), fault)


def foreign(draft: Draft, student: Model, teacher: Model) -> bool:
    """Whether a student is known to have tokens that its teacher does not have."""
    if student.scratch is not None:  # is said elsewhere
        return False
    if teacher.scratch is not None:
        return True
    own, other = _entry(draft, student), _entry(draft, teacher)
    if own is None or other is None:
        return False
    return pieces.translation(own, other) is None


def _size(draft: Draft, model: Model, size: int | None) -> str | None:
    """Why a model's vocabulary cannot be cut to so many tokens, as far as that is known."""
    if model.scratch is not None:
        most = model.scratch.vocabulary.size
        return pieces.all_kept(most, size) if size is not None and size >= most else None
    entry = _entry(draft, model)
    try:
        return None if entry is None else pieces.refusal(entry, size)
    except InputError as error:
        return str(error)


def _entry(draft: Draft, model: Model) -> Entry | None:
    """The `tokenizer.json` of a model that is here; None if that cannot tell."""
    try:
        folder = source.locate(model, draft.root).path
        entry: Any = None if folder is None else files.read_json(folder / "tokenizer.json")
        pieces.tokens(entry)
        return entry if "type" in entry["model"] else None
    except (InputError, NotAvailable, AttributeError, LookupError, TypeError, ValueError):
        return None
