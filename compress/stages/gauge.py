"""How much of a student's cost a cut one has left, for each kind of target: counted, or measured on a built file."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from compress.bench import machine, timer
from compress.config.settings import Target
from compress.encoders.checkpoint import parameters
from compress.encoders.families import family_of
from compress.encoders.modules import layers
from compress.encoders.widths import head_size, shape_of
from compress.pruning.latency_table import LatencyTable
from compress.quantization import Calibration, Material
from compress.registry import RECIPES, TARGETS
from compress.stages.build import Built, build, size_bytes, source
from compress.stages.context import Context
from compress.store import fingerprint
from compress.store.repair import CACHE
from compress.targets import Export, Extent, chosen, named

_SECONDS = 4.0
"""About how long the uncut and a cut student are timed side by side."""
_REPEAT = 2
_LATENCY_GRID = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Gauge:
    """Measures cut students against the uncut one."""

    seen: Callable[[PreTrainedModel], float]
    """The share of the uncut student's cost that a model has."""
    wanted: float
    """The share that the target comes to."""
    value: Callable[[float], float]
    """A share as the target's own number: a speed-up, megabytes …"""
    facts: Mapping[str, Any]
    """What the number holds for, as the target names it: `on`, `batch`, `sequence`, `threads`."""
    grid: tuple[float, ...] = ()
    """Shares of a layer's width at which a cost that is not straight is measured too."""
    table: LatencyTable | None = None
    """Where what was measured is kept."""


@contextmanager
def gauge(
    before: PreTrainedModel,
    student: PreTrainedModel,
    target: Target,
    calibration: Calibration,
    mean_length: float,
    context: Context,
) -> Iterator[Gauge]:
    """The gauge for a target of cuts of a student, against the model `before`.

    `mean_length` of the training rows is the length that is not given.

    - `flops`: those of the encoder's layers at one row of `sequence` tokens, the products inside attention included, as
      PyTorch counts them (Kwon et al. 2022, arXiv:2204.09656, bound the same).
    - `parameters`: those of the encoder's layers. Embeddings and heads, which no head or neuron is part of, don't count
      (so do Xia et al. 2022, arXiv:2204.00408); `size_mb` counts everything.
    - `size_mb`: the file that is written, built for each number.
    - `speedup`: medians of the uncut and of the cut student, both built, timed in interleaved rounds.
      The time that a call waits for a core while another program has it is left out.
    """
    sequence = target.sequence or max(4, round(mean_length))
    with tempfile.TemporaryDirectory(dir=context.work) as folder:
        if target.flops is not None:
            seen = _counted(lambda model: _flops(model, sequence), before)
            yield Gauge(seen, target.flops, float, {"sequence": sequence})
        elif target.parameters is not None:
            yield Gauge(_counted(_parameters, before), target.parameters, float, {})
        elif target.on is not None:
            works = _Works(named(target.on), calibration, Extent(target.batch, sequence), Path(folder))
            if target.size_mb is not None:
                size = works.size(before)
                in_mb, seen = size / 1e6, _counted(works.size, before, size)
                yield Gauge(seen, target.size_mb / in_mb, lambda share: in_mb * share, {"on": target.on})
            else:
                shape = (target.batch, sequence)
                yield _stopwatch(before, student, works, target, shape, context)


def _counted(
    count: Callable[[PreTrainedModel], int], before: PreTrainedModel, known: int | None = None
) -> Callable[[PreTrainedModel], float]:
    """Sees the share that a model has of a count of the model before."""
    whole = count(before) if known is None else known

    return lambda model: count(model) / whole


def _stopwatch(
    before: PreTrainedModel,
    student: PreTrainedModel,
    works: "_Works",
    target: Target,
    shape: tuple[int, int],
    context: Context,
) -> Gauge:
    """The gauge of a speed-up."""
    assert target.speedup is not None
    made = works.made(before, "before")
    facts = {"on": works.export.id, "batch": shape[0], "sequence": shape[1], "threads": target.threads}
    key = {
        **facts,
        "student": _outline(student),
        "before": _outline(before),
        "machine": machine.describe().machine_class,
        "code": fingerprint.digest(fingerprint.code(works.modules)),
        "versions": machine.versions(("torch", *TARGETS.load(works.export.target).packages)),
    }

    def seen(model: PreTrainedModel) -> float:
        feed = _feed(model, shape, context.seed)
        return works.ratio(made, works.made(model, "after"), feed, target.threads, context.seed)

    # A table depends on no run, so that runs share it.
    table = LatencyTable(context.root / "runs" / CACHE / "latency", key, context.notify)
    return Gauge(seen, 1 / target.speedup, lambda share: 1 / share, facts, _LATENCY_GRID, table)


def _outline(model: PreTrainedModel) -> dict[str, Any]:
    """What a model's latency depends on."""
    size = head_size(model.config)
    shape = shape_of(model.config)._asdict()
    return {"family": family_of(model).model_type, **shape, "head_size": size, "parameters": parameters(model)}


def _flops(model: PreTrainedModel, sequence: int) -> int:
    """Floating-point operations of the layers at one row: two for each multiplication that is added up."""
    eager = copy.deepcopy(model).requires_grad_(False)  # the counter follows gradients where a block is gone
    eager.set_attn_implementation("eager")  # what fused attention does on a processor is not counted
    feed = {name: torch.from_numpy(values) for name, values in _feed(model, (1, sequence), 0).items()}
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        eager(**feed)
    own = {id(layer) for layer in layers(eager)}
    names = {f"{type(eager).__name__}.{name}" for name, module in eager.named_modules() if id(module) in own}
    return sum(sum(counts.values()) for name, counts in counter.get_flop_counts().items() if name in names)


def _parameters(model: PreTrainedModel) -> int:
    return sum(parameters(layer) for layer in layers(model))


def _feed(model: PreTrainedModel, shape: tuple[int, int], seed: int) -> dict[str, NDArray[np.int64]]:
    """A full batch of random tokens."""
    ids = np.random.default_rng(seed).integers(0, model.config.vocab_size, shape)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {name: feed[name] for name in family_of(model).inputs}


@dataclass(frozen=True)
class _Works:
    """Builds models for one export, and runs what it built."""

    export: Export
    calibration: Calibration
    extent: Extent
    folder: Path

    @property
    def modules(self) -> list[str]:
        """Those whose code makes and runs the files."""
        target, precision = TARGETS.load(self.export.target), self.export.precision
        recipe = chosen(target, precision, self.export.recipe)
        recipes = [RECIPES.module(recipe)] if recipe else []
        return ["compress.stages.build", TARGETS.module(self.export.target), *recipes]

    def made(self, model: PreTrainedModel, name: str) -> Built:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        read = source(model, self.export.target, folder)
        material = Material(self.export.precision, self.calibration)
        return build(self.export, read, material, self.extent, work=folder, out=folder)

    def size(self, model: PreTrainedModel) -> int:
        return size_bytes(self.made(model, "sized").file)

    def ratio(
        self,
        before: Built,
        after: Built,
        feed: Mapping[str, NDArray[np.int64]],
        threads: int,
        seed: int,
    ) -> float:
        """The median latency of one file over that of another, timed in the same rounds, without waits for a core."""
        with timer.pin(threads), ExitStack() as opened:
            calls = {}
            for name, built in (("before", before), ("after", after)):
                session = TARGETS.load(self.export.target).open(built.file, built.settings, threads=threads)
                opened.callback(session.close)
                calls[name] = partial(session, feed)
            clock = opened.enter_context(timer.without_waits())
            samples = timer.interleave(calls, rounds=_rounds(calls), seed=seed, repeat=_REPEAT, clock=clock)
        return 1 / timer.speedup(samples["before"], samples["after"])


def _rounds(calls: Mapping[str, Callable[[], object]]) -> int:
    """As many rounds as take a few seconds: many where one call is short, as a short one scatters more."""
    for call in calls.values():
        call()
    begun = perf_counter()
    for call in calls.values():
        call()
    return min(400, max(15, round(_SECONDS / ((1 + _REPEAT) * (perf_counter() - begun)))))
