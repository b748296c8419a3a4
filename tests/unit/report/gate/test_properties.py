"""What holds of every report: better is never worse, and rows have no order."""

import random

import pytest
import sample
from hypothesis import given, settings
from hypothesis import strategies as st
from sample import TINY, with_variant, without

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate, SliceGate
from compress.registry import METRICS
from compress.report.gate.verdict import judge
from compress.report.packing import pack, unpack

ROWS = 2000
REPORT = sample.older(sample.record(rows=ROWS))


RANK = {"pass": 0, "not comparable": 1, "fail": 2}
NUMBERS = {
    "p50_ms": (st.floats(0.01, 100), -1),
    "p95_ms": (st.floats(0.01, 100), -1),
    "speedup": (st.floats(0.01, 100), 1),
    "size_bytes": (st.integers(0, 10**8), -1),
}
CONFIDENCE = st.sampled_from([0.5, 0.6, 0.8, 0.95])
GATES = st.builds(
    Gate,
    accuracy=st.builds(
        AccuracyGate,
        keep=st.none() | st.floats(0, 1),
        max_drop=st.floats(0, 1),
        confidence=CONFIDENCE,
        on=st.just(TINY[1]),
    ),
    slices=st.just((SliceGate(by="label", max_drop=0.3, on=TINY[1]),)) | st.just(()),
    latency=st.builds(
        LatencyGate,
        p50_ms=st.none() | st.floats(0.01, 100),
        p95_ms=st.none() | st.floats(0.01, 100),
        speedup=st.none() | st.floats(0.01, 100),
        max_ratio=st.floats(1, 10),
        relative=st.booleans(),
        on=st.just(TINY[1]),
    ),
    size=st.builds(SizeGate, max_mb=st.none() | st.floats(0.1, 100), max_ratio=st.floats(1, 10), on=st.just(TINY[1])),
)
SMALL = without(sample.older(sample.record(rows=60)), lambda variant: variant.model == "small")


def no_worse(before, after):
    assert RANK[after.answer] <= RANK[before.answer]
    for bad, good in zip(before.checks, after.checks, strict=True):
        assert (bad.name, bad.student, bad.variant) == (good.name, good.student, good.variant)
        assert RANK[good.answer] <= RANK[bad.answer], (bad, good)


@settings(deadline=None)
@given(st.data(), GATES, st.sampled_from(sorted(NUMBERS)), st.booleans())
def test_a_better_number_never_fails_and_a_worse_one_never_passes(data, gate, key, compared):
    values, sign = NUMBERS[key]
    worse, better = sorted((data.draw(values), data.draw(values)), key=lambda value: sign * value)
    baseline = SMALL if compared else None
    no_worse(*(judge(with_variant(SMALL, *TINY, **{key: value}), gate, baseline) for value in (worse, better)))


def corrected(answers, rows):
    """The report with so many wrong answers of tiny's INT8 made right, in any order of the rows."""
    gold = unpack(SMALL.gold)
    made = [right if row in rows else answer for row, (right, answer) in enumerate(zip(gold, answers, strict=True))]
    share = sum(map(int.__eq__, gold, made)) / len(gold)
    return with_variant(SMALL, *TINY, predictions=pack(made), metrics={"accuracy": share})


@settings(deadline=None)
@given(st.lists(st.integers(0, 7), min_size=60, max_size=60), st.sets(st.integers(0, 59)), GATES, st.booleans())
def test_more_rows_answered_rightly_are_never_worse(answers, rows, gate, compared):
    baseline = SMALL if compared else None
    no_worse(*(judge(corrected(answers, which), gate, baseline) for which in (set(), rows)))


@pytest.mark.parametrize("metric", ["f1_macro", "mcc"])
@settings(deadline=None, max_examples=10)
@given(wrong=st.lists(st.integers(0, 299), max_size=60), more=st.lists(st.integers(0, 299), min_size=1, max_size=60))
def test_by_other_metrics_a_better_number_never_fails_and_a_worse_one_never_passes(metric, wrong, more):
    """Their tests draw rows by chance; what holds is that no number below the limit passes and none above it fails."""
    whole = sample.record(rows=300)
    whole = whole.model_copy(update={"task": whole.task.model_copy(update={"metric": metric})})
    gold, load = unpack(whole.gold), METRICS.load(metric)
    gate = Gate(students=("tiny",), accuracy=AccuracyGate(keep=0.9, on=TINY[1]))
    found = []
    for rows in (set(wrong), {*wrong, *more}):
        answers = [(label + (row in rows)) % len(sample.LABELS) for row, label in enumerate(gold)]
        report = with_variant(whole, *TINY, predictions=pack(answers), metrics={metric: load(answers, gold)})
        report = with_variant(report, "teacher", "pytorch-fp32", metrics={metric: 0.95})
        (check,) = judge(report, gate).checks
        assert (check.answer != "pass") if check.seen < 0.9 else (check.answer != "fail")
        found.append(check.answer)
    assert found != ["fail", "pass"]


def test_the_order_of_the_rows_changes_nothing():
    order = random.Random(3).sample(range(ROWS), ROWS)

    def turned(packed):
        ids = unpack(packed)
        return pack(ids[row] for row in order)

    for metric in ("accuracy", "f1_macro"):
        task = REPORT.task.model_copy(update={"metric": metric})
        report = REPORT.model_copy(update={"task": task})
        variants = tuple(one.model_copy(update={"predictions": turned(one.predictions)}) for one in report.variants)
        other = report.model_copy(update={"gold": turned(report.gold), "variants": variants})
        gate = Gate(accuracy=AccuracyGate(keep=0.97), slices=(SliceGate(by="label"),), students=("tiny",))
        assert judge(other, gate) == judge(report, gate)
