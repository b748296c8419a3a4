"""Shapes that cannot be, found before anything runs: the teacher's, each student's, and what is asked of the two.

What is not known of a model, such as the shape of one that is on the Hub and has no card, is not checked.
"""

from collections.abc import Iterator, Sequence

from compress import registry
from compress.config.pipeline import Draft
from compress.config.settings import Architecture, Distill, Learning, Student, Task
from compress.config.source import KeyPath, dotted
from compress.encoders import families, widths
from compress.encoders.family import apart, unread, unrounded, unturned
from compress.encoders.start import evenly, refused
from compress.errors import InputError, Problem, unknown
from compress.losses import PREDICTIONS
from compress.run import cuts, marks
from compress.run.outlines import Outline, models, outline, reshaped
from compress.run.vocabulary import foreign


def problems(draft: Draft) -> Iterator[Problem]:
    """Every mistake about the models of a pipeline, as far as the parts of the file that they stand in are valid."""
    outlines: dict[KeyPath, Outline] = {}
    for path, model in models(draft).items():
        try:
            outlines[path] = outline(draft, path, model)
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
            own = reshaped(teacher, student.architecture)
            yield from _start(draft, path, student, own.architecture, teacher)
        starts = student is None or (student.model is None and student.start != "random")
        yield from _learning(draft, path, own.architecture, teacher.architecture, starts)
        yield from _inside(draft, path, own.family, teacher.family)
        yield from cuts.problems(draft, (*path, "prune"), own)


def _families(draft: Draft) -> Iterator[Problem]:
    named: list[tuple[str, str]] = []
    for path, model in models(draft).items():
        if path[0] != "students" and model.scratch is not None:
            place, family = draft.document.where((*path, "scratch", "family")), model.scratch.family
            named.append((place, family))
            reason = dict(families.FAMILIES[family].refuses).get("scratch") if family in families.FAMILIES else None
            if reason:
                yield Problem(place, f"a {family} model cannot be made from scratch: {reason}. Give another family.")
            if what := _heads(model.scratch.architecture, family):
                yield Problem(draft.document.where((*path, "scratch", "architecture")), what)
    for path in draft.teachers:
        if path in draft.cards:
            card = draft.cards[path]
            named.append((card.where(("family",)), card.value["family"]))
    for where, family in named:
        if family not in families.FAMILIES:
            yield Problem(where, unknown("family", family, families.FAMILIES))


def _positions(draft: Draft, outlines: dict[KeyPath, Outline]) -> Iterator[Problem]:
    task = draft.part(Task, ("task",))
    for path, model in outlines.items():
        if task is not None and model.longest is not None and task.max_length > model.longest:
            yield Problem(
                draft.document.where(("task", "max_length")),
                f"{task.max_length} is above the {model.longest} tokens that the positions of {dotted(path)} reach. "
                f"Give at most {model.longest}.",
            )


def _start(draft: Draft, path: KeyPath, student: Student, own: Architecture, teacher: Outline) -> Iterator[Problem]:
    """A shape that cannot be built, or not from the teacher's weights."""
    shape, asked, whole = (*path, "architecture"), student.architecture, teacher.architecture
    if teacher.pruned:
        yield Problem(draft.document.where(shape), widths.PRUNED_TEACHER)
        return
    if (asked.hidden or asked.heads) and (what := _heads(own, teacher.family)):
        yield Problem(draft.document.where((*shape, "hidden" if asked.hidden else "heads")), what)
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


def _heads(own: Architecture, family: str | None) -> str | None:
    """Why heads cannot be so wide; None if they can."""
    row = families.FAMILIES.get(family or "")
    if not own.hidden or not own.heads:
        return None
    if own.hidden % own.heads:
        return f"`hidden: {own.hidden}` is not a multiple of `heads: {own.heads}`. Give both in the student's architecture."
    return None if row is None else unturned(row, own.hidden, own.heads)


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
    pairs = [(own.hidden, whole.hidden), (own.heads, whole.heads), (own.intermediate, whole.intermediate)]
    start: str = student.start
    if start == "auto" and all(None not in pair for pair in pairs):
        start = "layers" if all(one == other for one, other in pairs) else "pca"
    chosen = None if student.start_layers == "measured" else student.start_layers
    if student.start_layers is None and own.layers and whole.layers:
        chosen = evenly(own.layers, whole.layers)
    if row is not None and (
        what := refused(row, start, chosen, ((own.hidden, own.heads), (whole.hidden, whole.heads)))
    ):
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
    """What the student is to learn from layers that do not match.

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
        reads = marks.reads(loss)
        found = [what for row in (student, teacher) if row and reads and (what := unread(row, loss, reads))]
        if not found and student and teacher and sides and reads not in (None, *PREDICTIONS):
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
        if not heads or not any(marks.takes(loss, "relation_heads", foreign=False) for loss in training.losses):
            continue
        for who, width in (("student", own.hidden), ("teacher", whole.hidden)):
            if width and width % heads:
                what = f"{heads} does not divide the {who}'s width, {width}. Leave it out, or give a divisor."
                yield Problem(draft.document.where((*group, "relation_heads")), what)
