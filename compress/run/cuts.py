"""Cuts that a student's layers and widths do not allow, found before anything runs."""

from collections.abc import Iterator

from compress.config.pipeline import Draft
from compress.config.settings import Architecture, Prune, Task
from compress.config.source import KeyPath
from compress.encoders import families
from compress.encoders.family import uncut
from compress.errors import Problem
from compress.pruning import shares
from compress.run.outlines import Outline


def problems(draft: Draft, path: KeyPath, own: Outline) -> Iterator[Problem]:
    """What cannot be cut out of layers of the student's widths."""
    prune, family, shape = draft.part(Prune, path), families.FAMILIES.get(own.family or ""), own.architecture
    if prune is not None and family is not None and (what := uncut(family)):
        yield Problem(draft.document.where(path), what)
        return
    if prune is not None:
        yield from _narrowing(draft, path, prune, own)
    if prune is None or own.pruned:
        return
    yield from _target(draft, path, prune, shape)
    whole = prune.neurons > 0 and shape.intermediate is not None and prune.multiple >= shape.intermediate
    if whole:
        yield Problem(
            draft.document.where((*path, "multiple")),
            f"the student's layers have {shape.intermediate} neurons: cut to a multiple of {prune.multiple}, they keep "
            f"them all. Give less than {shape.intermediate}.",
        )
    if family is None or shape.layers is None:
        return
    layers = 1 if family.shared_layers else shape.layers
    for kind, asked, width, multiple in (
        ("heads", prune.heads, shape.heads, 1),
        ("neurons", prune.neurons, None if whole else shape.intermediate, prune.multiple),
    ):
        if width is not None:
            near = shares.nearest(asked, layers=layers, width=width, multiple=multiple)
            if shares.missed(asked, near, layers * width):
                yield Problem(draft.document.where((*path, kind)), shares.refusal(kind, asked, near, multiple))


def _target(draft: Draft, path: KeyPath, prune: Prune, shape: Architecture) -> Iterator[Problem]:
    """A share of the FLOPs or parameters that is less than the smallest layers have."""
    target = prune.target
    if target is None or target.kind not in ("flops", "parameters") or prune.blocks or prune.hidden:
        return
    if shape.hidden is None or shape.heads is None or shape.intermediate is None:
        return
    task = draft.part(Task, ("task",))
    asked, longest = getattr(target, target.kind), 8192 if task is None else task.max_length
    least = shares.least(
        target.kind,
        hidden=shape.hidden,
        heads=shape.heads,
        neurons=shape.intermediate,
        multiple=prune.multiple,
        lengths=(target.sequence or 0, target.sequence or longest),
    )
    if asked < least:
        yield Problem(
            draft.document.where((*path, "target", target.kind)),
            f"{asked:g} of the {target.kind} of the encoder cannot be reached: layers of 1 head and "
            f"{min(prune.multiple, shape.intermediate)} neurons keep at least {least:.3g}. Give more, or a smaller student.",
        )


def _narrowing(draft: Draft, path: KeyPath, prune: Prune, own: Outline) -> Iterator[Problem]:
    """Widths of the whole model that are not below what it has, or that a model without some blocks cannot be given."""
    family, width, left = families.FAMILIES.get(own.family or ""), own.architecture.hidden, own.embedding
    # a projection stands behind the embeddings and takes the rank for their width: the states are projected with it
    projected = family and family.embedding_key and not own.factored and (left != width or family.projects_equal)
    if prune.hidden is not None and width is not None:
        if family is not None and (reason := families.unprojected(family)):
            yield Problem(draft.document.where((*path, "hidden")), f"{reason} Leave it out.")
        elif prune.hidden >= width:
            what = f"the student's hidden states are {width} wide, so they cannot be cut to {prune.hidden}. Give less."
            yield Problem(draft.document.where((*path, "hidden")), what)
        elif own.unwhole:
            yield Problem(draft.document.where((*path, "hidden")), own.unwhole)
        elif left == width and not (family and family.projects_equal):
            left = prune.hidden
    if prune.embedding_rank is None or left is None:
        return
    if prune.embedding_rank >= left:
        what = (
            f"the student's word embeddings are {left} wide: rank {prune.embedding_rank} takes nothing away. Give less."
        )
        yield Problem(draft.document.where((*path, "embedding_rank")), what)
    elif own.unwhole and projected:
        yield Problem(draft.document.where((*path, "embedding_rank")), own.unwhole)
