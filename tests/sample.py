"""A made-up report for the tests of everything that reads one: a teacher and two students in three precisions."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from compress.config import settings
from compress.report.gate.verdict import Verdict
from compress.report.packing import pack, unpack
from compress.report.record import Column, Data, Epoch, Machine, Record, Row, Split, Stage, Task
from compress.report.structure import Layer, Removed, Structure
from compress.report.variant import Cell, Estimate, Interval, Parity, Variant

LABELS = ("alarm", "calendar", "lights", "music", "news", "shopping", "timer", "weather")
SOURCES = ("app", "speaker", "watch")
TINY = ("tiny", "onnxruntime-int8")
SHAPES = ((1, 16), (1, 64), (8, 16), (8, 64))
_COST = (1.0, 3.4, 6.9, 27.0)
# model, runtime, precision, share wrong, parameters, bytes, ms at the first shape, memory
_ROWS = (
    ("teacher", "pytorch", "fp32", 0.047, 22_713_608, 90_868_376, 8.49, 402e6),
    ("teacher", "onnxruntime", "fp32", 0.047, 22_713_608, 91_004_120, 4.08, 214e6),
    ("small", "pytorch", "fp32", 0.052, 10_651_400, 42_611_744, 4.45, 341e6),
    ("small", "onnxruntime", "fp32", 0.052, 10_651_400, 42_733_981, 2.11, 161e6),
    ("small", "onnxruntime", "fp16", 0.052, 10_651_400, 21_391_220, 2.34, 142e6),
    ("small", "onnxruntime", "int8", 0.058, 10_651_400, 11_002_467, 0.63, 98e6),
    ("tiny", "pytorch", "fp32", 0.056, 4_386_184, 17_549_008, 1.77, 312e6),
    ("tiny", "onnxruntime", "fp32", 0.056, 4_386_184, 17_640_233, 0.71, 112e6),
    ("tiny", "onnxruntime", "fp16", 0.057, 4_386_184, 8_832_901, 0.79, 104e6),
    ("tiny", "onnxruntime", "int8", 0.101, 4_386_184, 4_561_730, 0.29, 83e6),
)


def record(*, rows: int = 600, seed: int = 7, **changes: object) -> Record:
    """The report, with some of its fields changed."""
    generator = random.Random(seed)
    gold = [generator.randrange(len(LABELS)) for _ in range(rows)]
    hard = generator.sample(range(rows), rows)
    answered = {row[:3]: _answers(gold, row[3], hard[number // 3 :], generator) for number, row in enumerate(_ROWS)}
    teacher = answered["teacher", "pytorch", "fp32"]
    fields: dict[str, object] = {
        "name": "voice-commands",
        "created": "2026-11-20T09:30:00Z",
        "command": "compress run pipeline.yaml",
        "seed": 0,
        "versions": {"compress": "0.1.0", "python": "3.12.4", "torch": "2.13.0", "transformers": "5.23.0"},
        "machine": Machine(
            machine_class="x86_64/AMD EPYC 7R13/2c/avx2",
            processor="AMD EPYC 7R13",
            physical_cores=2,
            logical_cores=2,
            memory_bytes=16_000_000_000,
            system="Linux 6.8",
            architecture="x86_64",
            features=("avx2",),
        ),
        "task": Task(type="text-classification", labels=LABELS, metric="accuracy", max_length=64),
        "data": Data(
            train=Split(rows=6000, sha256="11" * 32),
            validation=Split(rows=400, sha256="22" * 32),
            test=Split(rows=rows, sha256="33" * 32),
        ),
        "measure": settings.Measure(columns=("source",)),
        "gate": settings.Gate(
            accuracy=settings.AccuracyGate(keep=0.97),
            latency=settings.LatencyGate(p95_ms=3, speedup=3),
            size=settings.SizeGate(max_mb=45),
        ),
        "stages": _stages(),
        "gold": pack(gold),
        **_rows(gold, answered),
        "variants": tuple(_variant(row, gold, answered[row[:3]], teacher) for row in _ROWS),
        "structures": {
            "small": _structure(
                (12, 11, 9, 8, 10, 12), (1536, 1328, 1016, 872, 760, 1152), Layer(heads=12, neurons=1536)
            ).model_copy(update={"shares": {"heads": _removed(0.14, 10 / 72), "neurons": _removed(0.28, 2552 / 9216)}}),
            "tiny": _structure((3, 2, 3, 4), (600, 416, 392, 512), Layer(heads=4, neurons=768)),
        },
    }
    return Record.model_validate({**fields, **changes})


def _rows(gold: list[int], answered: Mapping[tuple, list[int]]) -> dict[str, object]:
    """What is told of the rows: tokens, where they come from, and those in words that teacher and student answer otherwise."""
    generator = random.Random(11)
    teacher = answered["teacher", "pytorch", "fp32"]
    differ = [row for row in range(len(gold)) if any(answers[row] != teacher[row] for answers in answered.values())]
    return {
        "lengths": pack(generator.randint(4, 24) for _ in gold),
        "columns": {"source": Column(values=SOURCES, rows=pack(generator.randrange(len(SOURCES)) for _ in gold))},
        "rows": tuple(
            Row(row=row, text=f"{LABELS[gold[row]]} {generator.choice(('please', 'at six', 'in the hall'))} {row}")
            for row in sorted(generator.sample(differ, min(20, len(differ))))
        ),
    }


def older(report: Record) -> Record:
    """A report as the first version of the format has it: without intervals and without what is told of the rows."""
    fields = {"p50_interval": None, "p95_interval": None, "speedup_interval": None}
    variants = tuple(
        variant.model_copy(
            update={
                "divergence": None,
                "calibration_error": None,
                "latency": tuple(cell.model_copy(update=fields) for cell in variant.latency),
            }
        )
        for variant in report.variants
    )
    return report.model_copy(update={"variants": variants, "lengths": None, "columns": {}, "rows": ()})


def _answers(gold: list[int], wrong: float, hard: list[int], generator: random.Random) -> list[int]:
    """Answers with a share wrong; every model errs first on the same hard rows, mostly by taking a label for the next."""
    answers = list(gold)
    for row in hard[: round(wrong * len(gold))]:
        step = 1 if generator.random() < 0.6 else generator.randrange(1, len(LABELS))
        answers[row] = (gold[row] + step) % len(LABELS)
    return answers


def _variant(row: tuple, gold: list[int], answers: list[int], teacher: list[int]) -> Variant:
    model, runtime, precision, _, parameters, size, first_ms, memory = row
    plain_ms = next(other[6] for other in _ROWS if other[:3] == (model, runtime, "fp32"))
    lower = precision != "fp32"
    lossy = {"fp32": 2e-6, "fp16": 1.4e-3, "int8": 0.11}[precision]
    return Variant(
        model=model,
        runtime=runtime,
        precision=precision,
        quantization={"fp32": None, "fp16": "fp16", "int8": "dynamic"}[precision],
        plain=f"{runtime}-fp32" if lower else None,
        max_drop=0.05,
        notes=("the word embeddings' rows share one scale",) if precision == "int8" else (),
        parameters=parameters,
        size_bytes=size,
        metrics={"accuracy": sum(map(int.__eq__, gold, answers)) / len(gold), "f1_macro": 0.93},
        predictions=pack(answers),
        agreement=sum(map(int.__eq__, answers, teacher)) / len(gold),
        divergence=_about({"fp32": 0.004, "fp16": 0.004, "int8": 0.011}[precision] if model != "teacher" else 1e-9),
        calibration_error=_about(row[3] / 2),
        parity=None
        if runtime == "pytorch"
        else Parity(max_abs=3.2 * lossy, mean_abs=lossy, agreement=0.995, rows=128, tolerance=0.5),
        latency=tuple(
            cell(batch, sequence, first_ms * cost, 8.49 * cost, plain_ms * cost if lower else None)
            for (batch, sequence), cost in zip(SHAPES, _COST, strict=True)
        ),
        same_rows=cell(1, None, first_ms * 1.2, 8.49 * 1.2),
        peak_memory_bytes=int(memory),
    )


def _about(value: float) -> Estimate:
    return Estimate(value=value, low=0.8 * value, high=1.2 * value)


def cell(batch: int, sequence: int | None, p50_ms: float, reference_ms: float, plain_ms: float | None = None) -> Cell:
    """The latency of one shape, its other percentiles made from the median."""
    beside = None if plain_ms is None else plain_ms / p50_ms
    return Cell(
        batch=batch,
        sequence=sequence,
        p50_ms=p50_ms,
        p90_ms=p50_ms * 1.06,
        p95_ms=p50_ms * 1.11,
        p99_ms=p50_ms * 1.3,
        mean_ms=p50_ms * 1.02,
        rows_per_s=1000 * batch / p50_ms,
        samples=150,
        speedup=reference_ms / p50_ms,
        p50_interval=Interval(low=p50_ms * 0.98, high=p50_ms * 1.02),
        p95_interval=Interval(low=p50_ms * 1.07, high=p50_ms * 1.19),
        speedup_interval=Interval(low=0.97 * reference_ms / p50_ms, high=1.03 * reference_ms / p50_ms),
        to_plain=None if beside is None else Estimate(value=beside, low=0.98 * beside, high=1.02 * beside),
    )


def _structure(heads: tuple[int, ...], neurons: tuple[int, ...], of: Layer) -> Structure:
    return Structure(layers=tuple(Layer(heads=h, neurons=n) for h, n in zip(heads, neurons, strict=True)), of=of)


def _removed(asked: float, removed: float) -> Removed:
    return Removed(asked=asked, removed=removed)


def _stages() -> tuple[Stage, ...]:
    def history(epochs: int, loss: float, top: float) -> tuple[Epoch, ...]:
        return tuple(
            Epoch(epoch=n, loss=loss * 0.62 ** (n - 1), validation=top - 0.11 * 0.55**n) for n in range(1, epochs + 1)
        )

    return (
        Stage(name="teacher", seconds=512, notes=("forward pass in bf16",), history=history(3, 0.81, 0.958)),
        Stage(name="distill/small", seconds=391, history=history(6, 2.9, 0.953)),
        Stage(name="distill/tiny", seconds=248, history=history(8, 3.4, 0.94)),
        Stage(name="prune/small", seconds=97, history=history(2, 1.3, 0.951)),
        Stage(name="prune/tiny", seconds=71, history=history(2, 1.6, 0.937), notes=("12 of 16 heads left",)),
        Stage(name="export", seconds=41),
        Stage(name="measure", seconds=388),
    )


def with_variant(report: Record, model: str, name: str, **changes: Any) -> Record:
    """The report with some numbers of one variant changed; those of a cell go to all its cells."""
    cells = {key: changes.pop(key) for key in ("p50_ms", "p95_ms", "speedup") if key in changes}
    if "accuracy" in changes:
        changes |= right(report, changes.pop("accuracy"))
    variants = []
    for variant in report.variants:
        if (variant.model, variant.id) == (model, name):
            latency = tuple(cell.model_copy(update=cells) for cell in variant.latency)
            variant = variant.model_copy(update={"latency": latency, **changes})
        variants.append(variant)
    return report.model_copy(update={"variants": tuple(variants)})


def right(report: Record, share: float) -> dict[str, Any]:
    """So many of the first rows answered rightly, and the others wrongly."""
    gold = unpack(report.gold)
    first = round(share * len(gold))
    answers = [label if row < first else (label + 1) % len(LABELS) for row, label in enumerate(gold)]
    return {"predictions": pack(answers), "metrics": {"accuracy": first / len(gold)}}


def without(report: Record, drop: Callable[[Variant], bool]) -> Record:
    """The report without some of its variants."""
    return report.model_copy(update={"variants": tuple(v for v in report.variants if not drop(v))})


def answers(verdict: Verdict, name: str | None = None) -> dict[tuple[str, str], str]:
    """What each variant is told, by one check or by all."""
    return {(check.student, check.variant): check.answer for check in verdict.checks if name in (None, check.name)}
