"""The units of a student that stay, so that it reaches a target: searched by what cuts cost, then measured."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from compress.config import settings
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError, Problem
from compress.pruning.budget import widths, within
from compress.pruning.costs import Point, fit, grid
from compress.pruning.gradual import after
from compress.pruning.scores import Scores
from compress.pruning.search import Choice
from compress.quantization import Calibration
from compress.registry import IMPORTANCE
from compress.stages.context import Context
from compress.stages.gauge import Gauge, gauge

_ROUNDS = 3
_CLOSE = 0.05
"""How far from the asked share a measured one may be and no further round is tried; half of what is promised."""


class Aim(NamedTuple):
    """What a student is cut to, and on which rows."""

    asked: settings.Prune
    calibration: Calibration
    mean_length: float
    """Tokens of a training row."""
    key: str
    """Where the target stands, for errors."""
    step: int = 1
    """Which of the `asked.steps` cuts this is, from 1; those before the last go a part of the way."""


class Cutting(NamedTuple):
    """One student at three times."""

    before: PreTrainedModel
    """Before anything was made smaller: what shares and speed-ups are over."""
    whole: PreTrainedModel
    """With all its heads and neurons: what cuts cost is measured on it, since that depends on shapes alone."""
    now: PreTrainedModel
    """As it is to be cut: perhaps cut before."""


def aimed(student: Cutting, scores: Scores, aim: Aim, context: Context) -> tuple[Choice, dict[str, Any]]:
    """The units to keep, by their scores, and what was asked for and reached: the cut student is measured.

    The last step's is measured three times at most, and the search corrected; an earlier one's once.
    What is decided rests on measured times: of several processes one must decide for all, and keep it.
    Raises: InputError if the target cannot be reached, or is reached without a cut.
    """
    asked, target = aim.asked, aim.asked.target
    assert target is not None
    full = Masks.full(student.whole)
    whole, step = widths((full.heads, full.neurons)), (1, asked.multiple)
    least = (0, 0) if asked.blocks else (1, min(asked.multiple, max(whole.neurons)))
    comparable = bool(getattr(IMPORTANCE.load(asked.importance), "comparable", False))
    with gauge(student.before, student.whole, target, aim.calibration, aim.mean_length, context) as measure:
        _check_uncut(measure, aim)
        points = _measured(student, measure, grid(whole, least, step, measure.grid), context)
        corner = points[min(points)]
        if measure.wanted < corner * (1 - _CLOSE if measure.table is not None else 1):
            raise InputError(Problem(f"{aim.key}.{target.kind}", _out_of_reach(measure, aim, corner, min(points))))
        costs = fit(points, whole, _last(student, measure, list(points), context))
        wanted = after(aim.step, asked.steps, points[max(points)], measure.wanted)
        rounds, budget = _ROUNDS if aim.step == asked.steps else 1, wanted
        tried: list[tuple[float, Choice]] = []
        for number in range(rounds):
            choice = within(
                scores.heads,
                scores.neurons,
                costs,
                max(budget, costs.fixed),
                least=least,
                multiple=asked.multiple,
                comparable=comparable,
            )
            context.notify(number, rounds, f"measuring the cut student, round {number + 1}")
            seen = measure.seen(cut(student.now, Masks(*choice)))
            tried.append((seen, choice))
            if _good(measure, seen):
                break
            budget *= wanted / seen
    seen, choice = min(tried, key=lambda one: _off(measure, one[0]))
    reached = measure.value(seen)
    facts = {"kind": target.kind, "asked": getattr(target, target.kind), "reached": reached, **measure.facts}
    return choice, {**facts, "rounds": len(tried)}


def _check_uncut(measure: Gauge, aim: Aim) -> None:
    """A size may be reached before anything is cut; other targets are below the uncut student by their bounds."""
    target = aim.asked.target
    assert target is not None
    if measure.wanted >= 1:
        raise InputError(
            Problem(
                f"{aim.key}.{target.kind}",
                f"the uncut student's file has {measure.value(1):.4g} MB already. Give less, or leave `prune` out.",
            )
        )


def _measured(
    student: Cutting, measure: Gauge, points: list[Point], context: Context, *, last: bool = False
) -> dict[Point, float]:
    """The share of the uncut model's cost at each cut of all layers, or of the last; a table's are not measured again."""
    full, most = Masks.full(student.whole), max(points)
    found = {}
    for done, point in enumerate(points):
        share = measure.table.get(point, last=last) if measure.table is not None else None
        if share is None:
            which = "the last layer" if last else "layers"
            context.notify(done, len(points), f"measuring {which} of {point[0]} heads and {point[1]} neurons")
            whole = point == most and student.whole is student.before and not last
            share = 1.0 if whole else measure.seen(cut(student.whole, Masks(*_uniform(full, point, last))))
            if measure.table is not None:
                measure.table.put(point, share, last=last)
        found[point] = share
    return found


def _last(student: Cutting, measure: Gauge, points: list[Point], context: Context) -> tuple[float, float] | None:
    """The shares where only the last layer has the least heads, and the least neurons; None where all layers are alike."""
    if measure.table is None or len(Masks.full(student.whole).heads) == 1:
        return None
    (heads, neurons), (fewest, least) = max(points), min(points)
    axes = [(fewest, neurons), (heads, least)]
    found = _measured(student, measure, axes, context, last=True)
    return found[axes[0]], found[axes[1]]


def _uniform(full: Masks, point: Point, last: bool) -> Iterator[tuple[Tensor, ...]]:
    """Masks that keep the first units of every layer, or of the last one."""
    for kind, count in zip((full.heads, full.neurons), point, strict=True):
        uncut = len(kind) - 1 if last else 0
        yield tuple((torch.arange(len(mask)) < count) | (number < uncut) for number, mask in enumerate(kind))


def _good(measure: Gauge, share: float) -> bool:
    """Near enough; what is no time is a limit, which may be missed to one side only."""
    if measure.table is None:
        return share <= measure.wanted * (1 + 1e-9)
    return abs(share / measure.wanted - 1) <= _CLOSE


def _off(measure: Gauge, share: float) -> tuple[bool, float]:
    """How bad a share is; above a limit is worse than anything below it."""
    return measure.table is None and not _good(measure, share), abs(share / measure.wanted - 1)


def _out_of_reach(measure: Gauge, aim: Aim, corner: float, smallest: Point) -> str:
    target = aim.asked.target
    assert target is not None
    least = f"1 head and {smallest[1]} neurons" if smallest != (0, 0) else "neither heads nor neurons"
    most = measure.value(corner)
    bound = "the most" if target.kind == "speedup" else "the least"
    cure = "" if aim.asked.blocks else " or `blocks: true`"
    return (
        f"{measure.value(measure.wanted):.4g} was asked for, {most:.3g} is {bound} that can be reached: with {least} in "
        f"every layer. Give that{cure}, or a smaller student."
    )
