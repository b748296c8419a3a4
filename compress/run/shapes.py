"""Shapes that cannot be, found before anything runs: the teacher's, each student's, and what is asked of the two.

What is not known of a model, such as the shape of one that is on the Hub and has no card, is not checked.
"""

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from compress import files, registry
from compress.config.pipeline import Draft
from compress.config.settings import (
    Architecture,
    Distill,
    FurtherTeacher,
    Learning,
    Model,
    Prune,
    Student,
    Task,
    Teacher,
)
from compress.config.source import KeyPath, dotted
from compress.encoders import families, source
from compress.encoders.family import Family, apart, uncut, unread, unrounded
from compress.encoders.start import evenly, refused
from compress.errors import InputError, NotAvailable, Problem, unknown
from compress.pruning import shares
from compress.run.vocabulary import foreign


class Outline(NamedTuple):
    """What is known of a model before it is made."""

    architecture: Architecture = Architecture()
    longest: int | None = None
    """The most tokens that its positions reach."""
    pruned: bool = False
    family: str | None = None


def problems(draft: Draft) -> Iterator[Problem]:
    """Every mistake about the models of a pipeline, as far as the parts of the file that they stand in are valid."""
    outlines: dict[KeyPath, Outline] = {}
    for path, model in models(draft).items():
        try:
            outlines[path] = _outline(draft, path, model)
        except InputError as error:
            yield Problem(draft.document.where(path), str(error))
    yield from _families(draft)
    yield from _positions(draft, outlines)
    teacher = outlines.get(("teacher", "model"), Outline())
    for name in draft.students:
        path = ("students", name)
        student = draft.part(Student, path, ("use", "model", "architecture", "start", "start_layers"))
        own = Outline()
        if student is not None and student.model is not None:
            own = outlines.get((*path, "model"), Outline())
        elif student is not None:
            asked = student.architecture.model_dump(exclude_none=True)
            own = Outline(teacher.architecture.model_copy(update=asked), family=teacher.family)
            yield from _start(draft, path, student, own.architecture, teacher)
        starts = student is None or (student.model is None and student.start != "random")
        yield from _learning(draft, path, own.architecture, teacher.architecture, starts)
        yield from _inside(draft, path, own.family, teacher.family)
        yield from _pruning(draft, (*path, "prune"), own)


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


def _outline(draft: Draft, path: KeyPath, model: Model) -> Outline:
    """What is known of a model: by its `config.json` if that is here, else by its card.

    Raises: InputError if it cannot be used.
    """
    if model.scratch is not None:
        if path[0] == "students":
            raise InputError("only a teacher starts from `scratch`. Leave `model` out and give `start: random`.")
        return Outline(model.scratch.architecture, model.scratch.max_positions, family=model.scratch.family)
    try:
        folder = source.locate(model, draft.root).path
    except NotAvailable:  # is said once nothing is wrong with the file
        folder = None
    if folder is None:
        card = draft.cards.get(path[:-1])
        same = card is not None and card.value.get("model", {}).get("hub") == model.hub
        if card is None or not same:
            return Outline()
        return Outline(Architecture(**card.value.get("architecture", {})), family=card.value.get("family"))
    entry = files.read_json(folder / "config.json")
    config = families.stored(entry if isinstance(entry, dict) else {})
    architecture, longest = Architecture(), None
    with suppress(AttributeError, TypeError, ValueError):
        layers, hidden, heads, neurons = families.shape_of(config)
        architecture = Architecture(layers=layers, hidden=hidden, heads=heads[0], intermediate=neurons[0])
    with suppress(AttributeError, TypeError, ValueError):
        longest = families.max_length(config)
    return Outline(architecture, longest, families.pruned_of(config) is not None, config.model_type)


def _families(draft: Draft) -> Iterator[Problem]:
    named: list[tuple[str, str]] = []
    for path, model in models(draft).items():
        if path[0] != "students" and model.scratch is not None:
            place, family = draft.document.where((*path, "scratch", "family")), model.scratch.family
            named.append((place, family))
            reason = dict(families.FAMILIES[family].refuses).get("scratch") if family in families.FAMILIES else None
            if reason:
                yield Problem(place, f"a {family} model cannot be made from scratch: {reason}. Give another family.")
    for path in draft.teachers:
        if path in draft.cards:
            card = draft.cards[path]
            named.append((card.where(("family",)), card.value["family"]))
    for where, family in named:
        if family not in families.FAMILIES:
            yield Problem(where, unknown("family", family, families.FAMILIES))


def _positions(draft: Draft, outlines: dict[KeyPath, Outline]) -> Iterator[Problem]:
    task = draft.part(Task, ("task",))
    for path, outline in outlines.items():
        if task is not None and outline.longest is not None and task.max_length > outline.longest:
            yield Problem(
                draft.document.where(("task", "max_length")),
                f"{task.max_length} is above the {outline.longest} tokens that the positions of {dotted(path)} reach. "
                f"Give at most {outline.longest}.",
            )


def _start(draft: Draft, path: KeyPath, student: Student, own: Architecture, teacher: Outline) -> Iterator[Problem]:
    """A shape that cannot be built, or not from the teacher's weights."""
    shape, asked, whole = (*path, "architecture"), student.architecture, teacher.architecture
    if teacher.pruned:
        what = "a student cannot take its shape from a pruned teacher. Take it from the model before the cut."
        yield Problem(draft.document.where(shape), what)
        return
    if (asked.hidden or asked.heads) and own.hidden and own.heads and own.hidden % own.heads:
        yield Problem(
            draft.document.where((*shape, "hidden" if asked.hidden else "heads")),
            f"`hidden: {own.hidden}` is not a multiple of `heads: {own.heads}`. Give both in the student's architecture.",
        )
    if student.start != "random" and own.hidden and whole.hidden and own.hidden > whole.hidden:
        yield Problem(
            draft.document.where((*shape, "hidden")),
            f"a student of width {own.hidden} cannot take its first weights from a teacher of width {whole.hidden}. "
            f"Give at most {whole.hidden}, or `start: random`.",
        )
    elif student.start == "layers":
        for key, number in asked.model_dump(include={"hidden", "heads", "intermediate"}, exclude_none=True).items():
            taken = getattr(whole, key)
            if taken is not None and number != taken:
                yield Problem(
                    draft.document.where((*shape, key)),
                    f"{number} is not the teacher's {taken}, and `start: layers` copies its layers as they are. "
                    "Leave it out, or give `start: pca`.",
                )
    if student.start_layers == "measured":
        yield from _measured(draft, (*path, "start_layers"), student, own.layers, teacher)
    elif student.start_layers is not None:
        yield from _listed(draft, (*path, "start_layers"), student.start_layers, own.layers, whole.layers)
    yield from _refused(draft, path, student, own, teacher)


def _measured(draft: Draft, path: KeyPath, student: Student, count: int | None, teacher: Outline) -> Iterator[Problem]:
    """Layers that are to be chosen where there is no choice."""
    row, deep, what = families.FAMILIES.get(teacher.family or ""), teacher.architecture.layers, ""
    if student.start == "random":
        what = "`start: random` takes no layers. Leave out one of the two."
    elif row is not None and row.shared_layers:
        what = (
            f"all layers of {row.model_type} are one, called again and again: there is nothing to choose. Leave it out."
        )
    elif count and deep and count > deep:
        what = f"a student of {count} layers cannot start from a choice of {deep}. List {count} layers."
    if what:
        yield Problem(draft.document.where(path), what)


def _refused(draft: Draft, path: KeyPath, student: Student, own: Architecture, teacher: Outline) -> Iterator[Problem]:
    """A start that the teacher's family does not allow."""
    row, whole = families.FAMILIES.get(teacher.family or ""), teacher.architecture
    widths = [(own.hidden, whole.hidden), (own.heads, whole.heads), (own.intermediate, whole.intermediate)]
    start: str = student.start
    if start == "auto" and all(None not in pair for pair in widths):
        start = "layers" if all(one == other for one, other in widths) else "pca"
    chosen = None if student.start_layers == "measured" else student.start_layers
    if student.start_layers is None and own.layers and whole.layers:
        chosen = evenly(own.layers, whole.layers)
    if row is not None and (what := refused(row, start, chosen, widths[1])):
        key = "start_layers" if "start_layers" in what and student.start_layers else "start"
        yield Problem(draft.document.where((*path, key)), what)


def _listed(
    draft: Draft, path: KeyPath, layers: Sequence[int | None], count: int | None, deep: int | None
) -> Iterator[Problem]:
    """A list of teacher layers that is not one for each of the student's, or names layers that are not there."""
    if count is not None and len(layers) != count:
        what = f"lists {len(layers)} teacher layers for a student of {count} layers. List {count}."
        yield Problem(draft.document.where(path), what)
    for index, layer in enumerate(layers):
        if deep is not None and layer is not None and layer >= deep:
            what = f"the teacher has no layer {layer}. Its {deep} layers are 0 to {deep - 1}."
            yield Problem(draft.document.where((*path, index)), what)


def _learning(draft: Draft, path: KeyPath, own: Architecture, whole: Architecture, starts: bool) -> Iterator[Problem]:
    """What the student is to learn from layers that do not match, and settings that none of its losses reads.

    `starts`: whether it starts from its teacher's layers.
    """
    below = (*path, "distill")
    for group in (below, *draft.phases(path)):
        mapped, where = draft.part(Learning, group, ("layer_mapping",)), (*group, "layer_mapping")
        if mapped is not None and mapped.layer_mapping != "start":
            yield from _mapping(draft, where, mapped.layer_mapping, own, whole)
        elif mapped is not None and not starts:
            what = "`start` needs a student that starts from its teacher's layers. Give another mapping, or a list."
            yield Problem(draft.document.where(where), what)
    yield from _relations(draft, path, own, whole)
    prune = draft.part(Prune, (*path, "prune"))
    learned = draft.part(Distill, below, ("losses", "label_smoothing", "phases"))
    if learned is not None:
        given = ["label_smoothing" in phase.model_fields_set for phase in learned.phases] or [False]
        places = [
            place if its_own else below for place, its_own in zip(draft.phases(path) or [below], given, strict=True)
        ]
        smoothed = [
            (place, one.losses, one.label_smoothing) for place, one in zip(places, learned.trainings, strict=True)
        ]
        for key in ("between", "recover") if prune is not None else ():
            if (training := getattr(prune, key)) is not None:
                smoothed.append(((*path, "prune", key), learned.trainings[-1].losses, training.label_smoothing))
        for place, losses, smoothing in smoothed:
            if smoothing and not any(_takes(loss, "label_smoothing") for loss in losses):
                yield Problem(
                    draft.document.where((*place, "label_smoothing")),
                    f"{smoothing} is read by none of the losses {', '.join(losses)}. "
                    "Leave it out, or add a loss that reads it, such as `hard_label`.",
                )


def _pruning(draft: Draft, path: KeyPath, own: Outline) -> Iterator[Problem]:
    """What cannot be cut out of layers of the student's widths."""
    prune, family, shape = draft.part(Prune, path), families.FAMILIES.get(own.family or ""), own.architecture
    if prune is not None and family is not None and (what := uncut(family)):
        yield Problem(draft.document.where(path), what)
        return
    if prune is not None and shape.hidden is not None:
        yield from _narrowing(draft, path, prune, shape.hidden, family)
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


def _narrowing(draft: Draft, path: KeyPath, prune: Prune, width: int, family: Family | None) -> Iterator[Problem]:
    """Widths of the whole model that are not below what it has."""
    left = width
    if prune.hidden is not None:
        left = prune.hidden
        if family is not None and (reason := families.unprojected(family)):
            yield Problem(draft.document.where((*path, "hidden")), f"{reason} Leave it out.")
        elif prune.hidden >= width:
            what = f"the student's hidden states are {width} wide, so they cannot be cut to {prune.hidden}. Give less."
            yield Problem(draft.document.where((*path, "hidden")), what)
    # Of a family whose embeddings have a width of their own it is not known here.
    own = family is None or family.embedding_key is not None
    if prune.embedding_rank is not None and not own and prune.embedding_rank >= left:
        what = (
            f"the student's word embeddings are {left} wide: rank {prune.embedding_rank} takes nothing away. Give less."
        )
        yield Problem(draft.document.where((*path, "embedding_rank")), what)


def _mapping(
    draft: Draft, path: KeyPath, rule: str | Sequence[int | None], own: Architecture, whole: Architecture
) -> Iterator[Problem]:
    if not isinstance(rule, str):
        yield from _listed(draft, path, rule, own.layers, whole.layers)
        if rule and all(layer is None for layer in rule):
            yield Problem(draft.document.where(path), "lets no layer learn. Name a teacher layer for at least one.")
        return
    try:
        chosen = registry.MAPPINGS.load(rule)
        if own.layers and whole.layers and chosen.reads == "counts":
            chosen(own.layers, whole.layers)
    except InputError as error:
        yield Problem(draft.document.where(path), str(error))


def _inside(draft: Draft, path: KeyPath, own: str | None, other: str | None) -> Iterator[Problem]:
    """Losses on what is inside the two models, where that cannot be read or does not stand side by side."""
    learned = draft.part(Distill, (*path, "distill"), ("losses", "phases"))
    student, teacher = (families.FAMILIES.get(name or "") for name in (own, other))
    for group in ((*path, "distill"), *draft.phases(path)):
        rounding = draft.part(Learning, group, ("fake_quantize",))
        if student and rounding is not None and rounding.fake_quantize and (what := unrounded(student)):
            yield Problem(draft.document.where((*group, "fake_quantize")), what)
    # Of tokens that are known to be others it is said elsewhere.
    sides = student and teacher and student.reads_last != teacher.reads_last and not _foreign(draft, path)
    for key, loss in () if learned is None else learned.named.items():
        reads = _reads(loss)
        found = [what for row in (student, teacher) if row and reads and (what := unread(row, loss, reads))]
        if not found and student and teacher and sides and reads not in (None, "labels", "logits"):
            found = [apart(student, teacher)]
        place = (int(part) if part.isdigit() else part for part in key.split("."))
        yield from (Problem(draft.document.where((*path, "distill", *place)), what) for what in found[:1])


def _foreign(draft: Draft, path: KeyPath) -> bool:
    """Whether a student's tokens are known to be others than its teacher's."""
    given = models(draft)
    own, whole = given.get((*path, "model")), given.get(("teacher", "model"))
    return own is not None and whole is not None and foreign(draft, own, whole)


def _relations(draft: Draft, path: KeyPath, own: Architecture, whole: Architecture) -> Iterator[Problem]:
    """Relation heads that widths cannot be divided into."""
    below = (*path, "distill")
    learned = draft.part(Distill, below, ("losses", "relation_heads", "phases"))
    if learned is None:
        return
    for place, phase, training in zip(
        draft.phases(path) or [below], learned.phases or [learned], learned.trainings, strict=True
    ):
        heads, group = training.relation_heads, place if "relation_heads" in phase.model_fields_set else below
        if not heads or not any(_takes(loss, "relation_heads", foreign=False) for loss in training.losses):
            continue
        for who, width in (("student", own.hidden), ("teacher", whole.hidden)):
            if width and width % heads:
                what = f"{heads} does not divide the {who}'s width, {width}. Leave it out, or give a divisor."
                yield Problem(draft.document.where((*group, "relation_heads")), what)


def _takes(loss: str, option: str, *, foreign: bool = True) -> bool:
    """Whether a loss's signature names a setting, by its source: importing it imports torch. A third party's: `foreign`."""
    file = registry.ROOT / "losses" / f"{loss}.py"
    if not file.is_file():
        return foreign
    functions = [node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef)]
    return any(option == key.arg for made in functions if made.name == loss for key in made.args.kwonlyargs)


def _reads(loss: str) -> str | None:
    """What a loss is marked to read, by its source; None for a third party's, which its stage finds out."""
    file = registry.ROOT / "losses" / f"{loss}.py"
    if not file.is_file():
        return None
    marks = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.keyword))
    values = (mark.value for mark in marks if mark.arg == "reads")
    return next((str(value.value) for value in values if isinstance(value, ast.Constant)), None)
