"""A record and its verdict as tables of text, which every page shows in its own way."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from compress import units
from compress.report import goal, words
from compress.report.gate import trade
from compress.report.gate.margin import Margin, margin
from compress.report.gate.verdict import Answer, Check, Verdict, judged
from compress.report.packing import unpack
from compress.report.record import Record
from compress.report.structure import Structure
from compress.report.variant import TEACHER, Cell, Variant

NONE = "–"
MARKS: dict[Answer, str] = {"pass": "✓", "fail": "✗", "not comparable": "?"}
WORDS: dict[Answer, str] = {"pass": "Pass", "fail": "Fail", "not comparable": "Not comparable"}


class Column(NamedTuple):
    """The head of a column; numbers stand to the right."""

    text: str
    numeric: bool = False


class Table(NamedTuple):
    """Rows of text, as many cells as there are columns; the first `keys` cells say what a row is about."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: int = 1


class Card(NamedTuple):
    """A student at its best, in four numbers."""

    student: str
    export: str
    numbers: tuple[tuple[str, str], ...]


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")


_SEEN: dict[str, tuple[str, Callable[[float], str], str]] = {
    "accuracy.keep": ("accuracy kept", units.percent, "≥"),
    "latency.p50_ms": ("p50", units.milliseconds, "≤"),
    "latency.p95_ms": ("p95", units.milliseconds, "≤"),
    "latency.speedup": ("speed-up", words.times, "≥"),
    "size.max_mb": ("size", units.size, "≤"),
    "accuracy.max_drop": ("drop since baseline", _signed, "≤"),
    "latency.max_ratio": ("p50 to baseline", words.times, "≤"),
    "size.max_ratio": ("size to baseline", words.times, "≤"),
}


def export(variant: Variant) -> str:
    """Runtime and precision of a variant in words: `ONNX Runtime INT8`."""
    return f"{words.runtime(variant.runtime)} {words.precision(variant.precision, variant.recipe)}"


def checks(record: Record, verdict: Verdict) -> Table:
    """A row for each judged variant, a column for each thing asked, with its limit; empty without such checks."""
    asked = {check.name: check.limit for check in verdict.checks if check.limit is not None}
    names = [name for name in _SEEN if name in asked]
    columns = [Column("model"), Column("export")]
    for name in names:
        word, written, sign = _SEEN[name]
        limit = asked[name]
        columns.append(Column(word if limit is None else f"{word} {sign} {written(limit).lstrip('+')}", numeric=True))
    rows = []
    for variant in record.variants:
        found = {check.name: check for check in verdict.checks if _about(check, variant)}
        if found:
            rows.append((variant.model, export(variant), *(_answer(found.get(name)) for name in names)))
    return Table(tuple(columns), tuple(rows), keys=2)


def _about(check: Check, variant: Variant) -> bool:
    return (check.student, check.variant) == (variant.model, variant.id)


def _answer(check: Check | None) -> str:
    if check is None:
        return NONE
    mark = MARKS[check.answer]
    return mark if check.seen is None else f"{_SEEN[check.name][1](check.seen)} {mark}"


def troubles(verdict: Verdict) -> list[Check]:
    """The checks that do not pass, failures first."""
    return [check for answer in ("fail", "not comparable") for check in verdict.checks if check.answer == answer]


def cards(record: Record, verdict: Verdict) -> list[Card]:
    """For each student its fastest export that no check fails (or, if all fail, its fastest)."""
    found = []
    for student in record.students:
        on = record.gate.latency.on or record.gate.accuracy.on
        variants = judged(record, student, on) or judged(record, student, None) or record.of(student)
        failed = {check.variant for check in verdict.checks if check.student == student and check.answer == "fail"}
        good = [variant for variant in variants if variant.id not in failed] or list(variants)
        found.append(_card(record, min(good, key=lambda variant: _speed(record, variant))))
    return found


def _speed(record: Record, variant: Variant) -> float:
    cell = variant.cell(*record.shape)
    return float("inf") if cell is None else cell.p50_ms


def _card(record: Record, variant: Variant) -> Card:
    metric, cell = record.task.metric, variant.cell(*record.shape)
    numbers = [(_kept(record, variant), f"of teacher's {words.metric(metric)}")]
    if cell is not None and cell.speedup is not None:
        numbers.append((words.times(cell.speedup), "as fast"))
    if record.reference is not None and variant.size_bytes:
        numbers.append((words.times(record.reference.size_bytes / variant.size_bytes), "smaller"))
    numbers.append((units.size(variant.size_bytes), "file"))
    return Card(variant.model, export(variant), tuple(number for number in numbers if number[0] != NONE))


def variants(record: Record) -> Table:
    """Every model in every runtime and precision: size, metric, latency of the first shape, memory."""
    shape = words.shape(*record.shape)
    columns = (
        Column("model"),
        Column("runtime"),
        Column("size", numeric=True),
        Column("smaller", numeric=True),
        Column(words.metric(record.task.metric), numeric=True),
        Column("kept", numeric=True),
        Column(f"p50 at {shape}", numeric=True),
        Column("p95", numeric=True),
        Column("speed-up", numeric=True),
        Column("peak memory", numeric=True),
    )
    rows = []
    for variant in record.variants:
        cell = variant.cell(*record.shape)
        whole = record.reference.size_bytes if record.reference else 0
        memory = variant.peak_memory_bytes
        rows.append(
            (
                variant.model,
                export(variant),
                units.size(variant.size_bytes),
                words.times(whole / variant.size_bytes) if whole and variant.size_bytes else NONE,
                _metric(record.task.metric, variant),
                _kept(record, variant),
                units.milliseconds(cell.p50_ms) if cell else NONE,
                units.milliseconds(cell.p95_ms) if cell else NONE,
                words.times(cell.speedup) if cell and cell.speedup else NONE,
                NONE if memory is None else units.size(memory),
            )
        )
    return Table(columns, tuple(rows), keys=2)


def _metric(name: str, variant: Variant) -> str:
    return words.score(name, variant.metrics[name]) if name in variant.metrics else NONE


def _kept(record: Record, variant: Variant) -> str:
    name = record.task.metric
    whole = record.reference.metrics.get(name) if record.reference else None
    own = variant.metrics.get(name)
    return units.percent(own / whole) if own is not None and whole is not None and whole > 0 else NONE


def latency(record: Record) -> Table:
    """Median latency and speed-up of every variant at every shape, and on real rows where that was timed."""
    shapes = list(dict.fromkeys((cell.batch, cell.sequence) for one in record.variants for cell in one.latency))
    real = any(variant.same_rows for variant in record.variants)
    heads = [words.shape(*shape) for shape in shapes] + (["real rows, one by one"] if real else [])
    rows = []
    for variant in record.variants:
        cells = {(cell.batch, cell.sequence): cell for cell in variant.latency}
        own = [cells.get(shape) for shape in shapes] + ([variant.same_rows] if real else [])
        rows.append((variant.model, export(variant), *(_timed(cell) for cell in own)))
    columns = (Column("model"), Column("runtime"), *(Column(head, numeric=True) for head in heads))
    return Table(columns, tuple(rows), keys=2)


def _timed(cell: Cell | None) -> str:
    if cell is None:
        return NONE
    written = units.milliseconds(cell.p50_ms)
    return f"{written} ({words.times(cell.speedup)})" if cell.speedup else written


def answers(record: Record) -> Table:
    """How each variant answers: every metric, agreement with the teacher, logits beside its PyTorch source's."""
    metrics = list(dict.fromkeys(name for variant in record.variants for name in variant.metrics))
    columns = [Column("model"), Column("runtime"), *(Column(words.metric(name), numeric=True) for name in metrics)]
    heads = ["points from the teacher"] if "accuracy" in metrics else []
    heads += ["answers as the teacher", "logits off by, mean", "at most", "answers as its source"]
    columns += [Column(head, numeric=True) for head in heads]
    rows = []
    for variant in record.variants:
        parity = variant.parity
        away = (NONE, NONE, NONE)
        if parity is not None:
            away = (f"{parity.mean_abs:.2g}", f"{parity.max_abs:.2g}", units.percent(parity.agreement))
        scores = [_metric(name, variant) for name in metrics]
        scores += [_points(record, variant)] if "accuracy" in metrics else []
        rows.append((variant.model, export(variant), *scores, units.percent(variant.agreement), *away))
    return Table(tuple(columns), tuple(rows), keys=2)


def _points(record: Record, variant: Variant) -> str:
    seen = None if variant is record.reference else margin(record, variant)
    return NONE if seen is None else _difference(seen)


def _difference(seen: Margin) -> str:
    return f"{words.points(seen.difference)} ± {100 * seen.half_width:.2f}"


def trades(record: Record) -> Table:
    """What each lower precision gives and costs beside the plain one of its runtime; empty without lower ones."""
    found = trade.trades(record)
    shapes = list(dict.fromkeys((cell.batch, cell.sequence) for one in found for cell in one.variant.latency))
    columns = [Column("model"), Column("export"), Column("beside"), Column("answer")]
    columns += [Column("points of accuracy", numeric=True), Column("size", numeric=True)]
    columns += [Column(f"speed at {words.shape(*shape)}", numeric=True) for shape in shapes]
    rows = []
    for one in found:
        cells = {(cell.batch, cell.sequence): cell for cell in one.variant.latency}
        rows.append(
            (
                one.variant.model,
                export(one.variant),
                words.precision(one.plain.precision),
                _worth(one),
                NONE if one.margin is None else _difference(one.margin),
                units.percent(one.variant.size_bytes / max(1, one.plain.size_bytes)),
                *(_beside(cells.get(shape)) for shape in shapes),
            )
        )
    return Table(tuple(columns), tuple(rows), keys=3)


def _beside(cell: Cell | None) -> str:
    seen = cell.to_plain if cell else None
    return NONE if seen is None else f"{words.times(seen.value)} ({seen.low:.2f}–{seen.high:.2f})"


def _worth(one: trade.Trade) -> str:
    if one.regressed:
        return f"{' and '.join(['slower'] * bool(one.slower) + ['loses too much'] * one.worse)} {MARKS['fail']}"
    timed = sum(cell.to_plain is not None for cell in one.variant.latency)
    faster = "faster" if len(one.faster) == timed else f"faster at {len(one.faster)} of {timed}"
    speed = faster if one.faster else "as fast"
    return ", ".join([speed, *["not smaller"] * one.larger, *["accuracy unsure"] * one.unsure])


def making(record: Record) -> list[str]:
    """A line for each export with something to be known of how it was made."""
    return [
        f"{variant.model} {export(variant)}: {'; '.join(variant.notes)}."
        for variant in record.variants
        if variant.notes and variant.asked
    ]


def structure(cut: Structure) -> Table:
    """Heads and neurons left in each layer."""
    columns = (Column("layer", numeric=True), Column("heads", numeric=True), Column("neurons", numeric=True))
    rows = [
        (str(number), _left(layer.heads, cut.of.heads), _left(layer.neurons, cut.of.neurons))
        for number, layer in enumerate(cut.layers, start=1)
    ]
    return Table(columns, tuple(rows))


def _left(kept: int, whole: int) -> str:
    return f"{words.number(kept)} of {words.number(whole)}"


def removed(cut: Structure) -> str:
    """How much of all heads and neurons is gone, beside what was asked for, where recorded; widths and tokens left."""
    parts = [goal.sentence(cut.target)] if cut.target is not None else []
    for kind, share in cut.shares.items():
        if share.asked or share.removed:
            asked = "" if share.asked is None else f" ({units.percent(share.asked)} asked)"
            parts.append(f"{kind.capitalize()}: {units.percent(share.removed)} removed{asked}.")
    parts += [f"{_WIDTHS[kind]}: {_left(width.after, width.before)}." for kind, width in cut.widths.items()]
    if cut.vocabulary is not None:
        left = cut.vocabulary
        parts.append(
            f"Tokens: {_left(left.after, left.before)} kept; {units.percent(left.train)} of the training rows' tokens and "
            f"{units.percent(left.validation)} of the validation rows' are whole, the others spelled in pieces."
        )
    return " ".join(parts)


_WIDTHS = {"hidden": "Hidden dimensions", "embedding_rank": "Rank of the word embeddings"}


def cuts(record: Record) -> list[str]:
    """A line for each student that was cut: what is left of each layer, and what of the whole is gone."""
    found = []
    for student, cut in record.structures.items():
        if cut.cut:
            layers = ", ".join(f"{layer.heads}/{layer.neurons}" for layer in cut.layers)
            found.append(
                f"{student}: heads/neurons left by layer {layers} of {cut.of.heads}/{cut.of.neurons}. {removed(cut)}".strip()
            )
    return found


def stages(record: Record) -> Table:
    """The steps of the run: how long each took, where its training ended, what is to be known about it."""
    columns = (
        Column("stage"),
        Column("time", numeric=True),
        Column("epochs", numeric=True),
        Column("last loss", numeric=True),
        Column("last validation accuracy", numeric=True),
        Column("notes"),
    )
    rows = []
    for stage in record.stages:
        last = stage.history[-1] if stage.history else None
        watched = None if last is None else last.validation
        rows.append(
            (
                stage.name,
                units.duration(stage.seconds),
                f"{last.epoch:g}" if last else NONE,
                f"{last.loss:.4g}" if last else NONE,
                NONE if watched is None else words.score(record.task.metric, watched),
                "; ".join(stage.notes),
            )
        )
    return Table(columns, tuple(rows))


def confusions(record: Record, student: str, most: int = 8) -> Table:
    """The pairs of labels that a student's variants confuse most often, beside the teacher; empty if it errs nowhere."""
    gold = unpack(record.gold)
    own = record.of(student)
    shown: Sequence[Variant] = [*([record.reference] if record.reference else []), *own]
    counted = [_wrong(gold, unpack(variant.predictions)) for variant in shown]
    worst: Counter[tuple[int, int]] = Counter()
    for wrong in counted[len(shown) - len(own) :]:
        worst |= wrong
    order = sorted(worst, key=lambda pair: (-worst[pair], pair))[:most]
    total = Counter(gold)
    names = record.task.labels
    columns = [Column("is"), Column("taken for"), Column("rows", numeric=True)]
    columns += [Column(TEACHER if one.model == TEACHER else export(one), numeric=True) for one in shown]
    rows = [
        (names[is_], names[seen], words.number(total[is_]), *(words.number(wrong[is_, seen]) for wrong in counted))
        for is_, seen in order
    ]
    return Table(tuple(columns), tuple(rows), keys=2)


def _wrong(gold: Sequence[int], predicted: Sequence[int]) -> Counter[tuple[int, int]]:
    return Counter((is_, seen) for is_, seen in zip(gold, predicted, strict=True) if is_ != seen)


def origin(record: Record) -> list[tuple[str, str]]:
    """Where the numbers come from: command, seed, machine, data, how it was timed."""
    machine, data, measure = record.machine, record.data, record.measure
    facts = [
        ("command", record.command),
        ("made", f"{record.created.replace('T', ' ').replace('Z', '')} UTC"),
        ("seed", str(record.seed)),
        ("task", f"{record.task.type}, {len(record.task.labels)} labels, up to {record.task.max_length} tokens"),
        ("machine class", machine.machine_class),
        ("processor", f"{machine.processor}, {words.plural(machine.physical_cores, 'core', 'cores')}"),
        ("vector instructions", ", ".join(machine.features) or "none that matter"),
        ("memory", units.size(machine.memory_bytes) if machine.memory_bytes else "unknown"),
        ("GPU", ", ".join(machine.gpus) or "none"),
        ("system", f"{machine.system}, {machine.architecture}"),
        (
            "timing",
            f"{words.plural(measure.threads, 'thread', 'threads')}, {measure.rounds} interleaved rounds, "
            f"{_samples(record)} calls a number",
        ),
    ]
    splits = [("training rows", data.train), ("validation rows", data.validation), ("test rows", data.test)]
    splits += [] if data.unlabelled is None else [("unlabelled rows", data.unlabelled)]
    for name, split in splits:
        digest = f"SHA-256 {split.sha256[:12]}" if re.fullmatch("[0-9a-f]{64}", split.sha256) else split.sha256
        facts.append((name, f"{words.number(split.rows)}, {digest}"))
    facts.append(("test rows seen in training", words.number(data.duplicates)))
    return facts


def _samples(record: Record) -> str:
    counts = sorted({cell.samples for variant in record.variants for cell in variant.latency})
    return " to ".join(words.number(count) for count in dict.fromkeys(counts[:1] + counts[-1:])) or "0"


def versions(record: Record) -> list[tuple[str, str]]:
    """Packages and their versions."""
    return sorted(record.versions.items())
