"""Which layers of a teacher answer best alone, without training: what a shallower student starts from."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from compress.data.batches import Encoded, feeds
from compress.encoders.families import family_of
from compress.encoders.modules import layers
from compress.encoders.start import refused
from compress.encoders.widths import calls
from compress.errors import InputError
from compress.training.history import Notify, quiet
from compress.training.precision import Precision, autocast, repeatable
from compress.training.predictions import SIZE

ROWS = 1000
"""Rows that are answered, at most."""
ALL = 1000
"""Subsets that are all tried; of more, layer by layer is left out."""
BEAM = 3
"""Subsets that are followed up where not all are tried."""

Subset = tuple[int, ...]


class Score(NamedTuple):
    """How some layers of the teacher answer."""

    layers: Subset
    accuracy: float
    """Share of the rows whose label is right."""
    loss: float
    """Mean cross-entropy, in nats."""


def measured(
    teacher: PreTrainedModel, rows: Encoded, count: int, *, precision: Precision, seed: int = 0, notify: Notify = quiet
) -> list[Score]:
    """What the teacher answers with only `count` of its layers, in their order; the best first.

    The highest accuracy is best; of accuracies that so many rows cannot tell apart, which lie within a standard error of
    it, the lowest loss. At most 1,000 rows, chosen by the seed, are answered, on the device the teacher is on.

    All subsets are tried if they are at most 1,000. Else one layer after the other is left out: of all ways to leave out
    one more, the three best are followed up, and what the last step tried is returned. Layers that several subsets begin
    with are computed once. `notify` is told of rows.
    Raises: InputError if the teacher has fewer layers, or one that is shared
    """
    deep = calls(teacher.config)
    if family_of(teacher).shared_layers:
        raise InputError("all layers of this teacher are one, called again and again: there is nothing to choose from.")
    if count > deep:
        raise InputError(f"a student of {count} layers cannot start from a choice of {deep}. List the layers.")
    numbers = np.random.default_rng(seed).permutation(len(rows))[:ROWS]
    feed = _Feed(teacher, rows, np.sort(numbers), precision)
    if math.comb(deep, count) <= ALL:
        return feed.scores(_allowed(teacher, combinations(range(deep), count)), notify)
    found = [Score(tuple(range(deep)), 0.0, 0.0)]
    for left in range(deep - 1, count - 1, -1):
        shorter = {kept for score in found[:BEAM] for kept in combinations(score.layers, left)}
        found = feed.scores(_allowed(teacher, sorted(shorter)), notify)
    return found


def _allowed(teacher: PreTrainedModel, subsets: Iterable[Subset]) -> list[Subset]:
    """Those that a student of the family can start from."""
    row = family_of(teacher)
    return [subset for subset in subsets if refused(row, "layers", subset) is None]


def ranked(found: Sequence[Score], rows: int) -> list[Score]:
    """The best first: those within a standard error of the highest accuracy by their loss, then the others by accuracy."""
    best = max(score.accuracy for score in found)
    near = best - math.sqrt(best * (1 - best) / rows)
    top = sorted((score for score in found if score.accuracy >= near), key=lambda score: (score.loss, score.layers))
    rest = (score for score in found if score.accuracy < near)
    return [*top, *sorted(rest, key=lambda score: (-score.accuracy, score.loss, score.layers))]


class _Feed(NamedTuple):
    """A teacher and the rows that it answers."""

    teacher: PreTrainedModel
    rows: Encoded
    numbers: NDArray[np.int64]
    precision: Precision

    def scores(self, subsets: Sequence[Subset], notify: Notify) -> list[Score]:
        """Each subset's score, the best first."""
        right, losses, done = dict.fromkeys(subsets, 0), dict.fromkeys(subsets, 0.0), 0
        mode = self.teacher.training
        self.teacher.train(False)
        device = self.teacher.device
        with torch.no_grad(), repeatable(device, self.precision), autocast(device, self.precision):
            for labels, batch in self._batches():
                for subset, logits in _answers(self.teacher, batch, subsets):
                    right[subset] += int((logits.argmax(-1) == labels).sum())
                    losses[subset] += float(functional.cross_entropy(logits.float(), labels, reduction="sum"))
                done += len(labels)
                notify(
                    done,
                    len(self.numbers),
                    f"first weights: {len(subsets)} choices of {len(subsets[0])} layers are tried",
                )
        self.teacher.train(mode)
        total = len(self.numbers)
        found = [Score(subset, right[subset] / total, losses[subset] / total) for subset in subsets]
        return ranked(found, total)

    def _batches(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        device, wanted = self.teacher.device, set(self.numbers.tolist())
        for chosen, feed in feeds(self.rows, SIZE):
            kept = [place for place, number in enumerate(chosen.tolist()) if number in wanted]
            if kept:
                inputs = {name: torch.from_numpy(values[kept]).to(device) for name, values in feed.items()}
                yield torch.from_numpy(self.rows.labels[chosen[kept]]).to(device), inputs


def _answers(
    teacher: PreTrainedModel, batch: Mapping[str, Tensor], subsets: Iterable[Subset]
) -> Iterator[tuple[Subset, Tensor]]:
    """The logits of each subset of layers. What subsets begin with in common is computed once."""
    given = _inputs(teacher, batch)
    states: dict[Subset, Tensor] = {(): given[0].states}
    for subset in sorted(subsets):
        # Sorted, subsets that begin alike stand together: no other beginning is needed again.
        states = {begun: state for begun, state in states.items() if subset[: len(begun)] == begun}
        for length in range(1, len(subset) + 1):
            begun = subset[:length]
            if begun not in states:
                states[begun] = given[begun[-1]].run(states[begun[:-1]])
        with _giving(given, states[subset]):
            yield subset, teacher(**batch)["logits"]


class _Given(NamedTuple):
    """A layer, what the encoder gives it, and what it puts out beside the states."""

    layer: nn.Module
    states: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    """Without the states, which are the first argument or called `hidden_states`."""
    beside: tuple[Any, ...] | None
    """None if it puts out the states alone."""

    def run(self, states: Tensor) -> Tensor:
        """What the layer makes of other states."""
        output = self.layer(states, *self.args, **self.kwargs)
        made: Tensor = output if self.beside is None else output[0]
        return made


def _inputs(teacher: PreTrainedModel, batch: Mapping[str, Tensor]) -> list[_Given]:
    """What each layer is given in a whole forward pass."""
    found: list[_Given] = []

    def note(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        rest = {name: value for name, value in kwargs.items() if name != "hidden_states"}
        beside = None if isinstance(output, Tensor) else tuple(output[1:])
        found.append(_Given(layer, args[0] if args else kwargs["hidden_states"], args[1:], rest, beside))

    with ExitStack() as hooks:
        for layer in layers(teacher):
            hooks.enter_context(layer.register_forward_hook(note, with_kwargs=True))
        teacher(**batch)
    return found


@contextmanager
def _giving(given: Sequence[_Given], states: Tensor) -> Iterator[None]:
    """While the context lasts, the layers compute nothing and put out these states."""
    try:
        for one in given:
            put_out: Any = states if one.beside is None else (states, *one.beside)
            one.layer.forward = lambda *_args, _put_out=put_out, **_kwargs: _put_out
        yield
    finally:
        for one in given:
            del one.layer.forward
