"""Keys that are written and read by nothing, found before anything runs.

A student's card is for many pipelines: what it says of how a student learns may be idle in one whose losses are others.
"""

from collections.abc import Callable, Iterator

from compress.config.pipeline import Draft
from compress.config.settings import Distill, Prune
from compress.config.source import KeyPath
from compress.errors import Problem
from compress.losses import LAYERS, PREDICTIONS
from compress.run import marks

_UNITS = ("importance", "rearrange", "refit", "rows", "multiple")
"""What of `prune` says how heads and neurons are cut."""

_READERS: dict[str, tuple[Callable[[str], bool], str]] = {
    "temperature": (lambda loss: marks.takes(loss, "temperature"), "soft_label"),
    "relation_heads": (lambda loss: marks.takes(loss, "relation_heads"), "minilm_relation"),
    "layer_mapping": (lambda loss: marks.reads(loss) in (None, *LAYERS), "hidden_state"),
    "cache": (lambda loss: marks.reads(loss) not in PREDICTIONS, "hidden_state"),
}
"""Which losses read a key of `distill`, as far as that is known, and one that does."""


def problems(draft: Draft) -> Iterator[Problem]:
    """Every key that nothing reads, as far as the parts of the file that say so are valid."""
    for name in draft.students:
        path: KeyPath = ("students", name)
        prune = draft.part(Prune, (*path, "prune"))
        learned = draft.part(Distill, (*path, "distill"), ("losses", "label_smoothing", "phases", *_READERS))
        if learned is not None:
            yield from _smoothing(draft, path, learned, prune)
            yield from _learning(draft, path, learned)
        if prune is not None and not prune.units:
            for key in sorted(prune.model_fields_set.intersection(_UNITS)):
                yield Problem(
                    draft.document.where((*path, "prune", key)),
                    "is read where heads and neurons are cut, and none are. Leave it out, or give `heads`, `neurons` or a "
                    "`target`.",
                )


def _learning(draft: Draft, path: KeyPath, learned: Distill) -> Iterator[Problem]:
    """Keys that the file gives, and none of the losses they are for reads."""
    below = (*path, "distill")
    for key, (reader, such) in _READERS.items():
        losses: dict[KeyPath, dict[str, None]] = {}
        for place, phase, training in zip(
            draft.phases(path) or [below], learned.phases or [learned], learned.trainings, strict=True
        ):
            own = place if key in phase.model_fields_set else below
            losses.setdefault(own, {}).update(dict.fromkeys(training.losses))
        for place, names in losses.items():
            group = learned if place == below else learned.phases[int(place[-1])]
            given = key in group.model_fields_set and getattr(group, key) is not None
            if given and draft.writes((*place, key)) and not any(map(reader, names)):
                yield Problem(draft.document.where((*place, key)), _unread("", list(names), such))


def _smoothing(draft: Draft, path: KeyPath, learned: Distill, prune: Prune | None) -> Iterator[Problem]:
    """Smoothed labels that one of the trainings does not read."""
    below = (*path, "distill")
    given = ["label_smoothing" in phase.model_fields_set for phase in learned.phases] or [False]
    places = [place if its_own else below for place, its_own in zip(draft.phases(path) or [below], given, strict=True)]
    smoothed = [(place, one.losses, one.label_smoothing) for place, one in zip(places, learned.trainings, strict=True)]
    for key in ("between", "recover") if prune is not None else ():
        if (training := getattr(prune, key)) is not None:
            smoothed.append(((*path, "prune", key), learned.trainings[-1].losses, training.label_smoothing))
    for place, losses, smoothing in smoothed:
        if smoothing and not any(marks.takes(loss, "label_smoothing") for loss in losses):
            where = draft.document.where((*place, "label_smoothing"))
            yield Problem(where, _unread(f"{smoothing} ", list(losses), "hard_label"))


def _unread(seen: str, losses: list[str], such: str) -> str:
    return (
        f"{seen}is read by none of the losses {', '.join(losses)}. Leave it out, or add a loss that reads it, such as "
        f"`{such}`."
    )
