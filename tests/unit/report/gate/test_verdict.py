import random
import subprocess
import sys

import pytest
import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate, SliceGate
from compress.registry import METRICS
from compress.report.gate.judged import judged
from compress.report.gate.verdict import judge
from compress.report.packing import pack, unpack
from compress.report.record import Data, Split

ROWS = 2000
REPORT = sample.older(sample.record(rows=ROWS))


def with_variant(report, model, name, **changes):
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


def right(report, share):
    """So many of the first rows answered rightly, and the others wrongly."""
    gold = unpack(report.gold)
    first = round(share * len(gold))
    answers = [label if row < first else (label + 1) % len(sample.LABELS) for row, label in enumerate(gold)]
    return {"predictions": pack(answers), "metrics": {"accuracy": first / len(gold)}}


def without(report, drop):
    return report.model_copy(update={"variants": tuple(v for v in report.variants if not drop(v))})


def answers(verdict, name=None):
    return {(c.student, c.variant): c.answer for c in verdict.checks if name in (None, c.name)}


TINY = ("tiny", "onnxruntime-int8")


def test_a_gate_that_asks_nothing_passes_and_says_so():
    verdict = judge(REPORT, Gate())
    assert (verdict.answer, verdict.exit_code, verdict.checks) == ("pass", 0, ())
    assert verdict.sentence == "The gate asks for nothing."


def test_a_limit_met_exactly_holds():
    report = with_variant(REPORT, "teacher", "pytorch-fp32", accuracy=0.9)
    report = with_variant(report, *TINY, accuracy=0.873, p50_ms=0.3, p95_ms=0.3, speedup=3.0, size_bytes=4_500_000)
    gate = Gate(
        students=("tiny",),
        accuracy=AccuracyGate(keep=0.97, confidence=0.5, on=TINY[1]),
        latency=LatencyGate(p50_ms=0.3, p95_ms=0.3, speedup=3, on=TINY[1]),
        size=SizeGate(max_mb=4.5, on=TINY[1]),
    )
    verdict = judge(report, gate)
    assert [check.name for check in verdict.checks] == [
        "accuracy.keep",
        "latency.p50_ms",
        "latency.p95_ms",
        "latency.speedup",
        "size.max_mb",
    ]
    assert verdict.answer == "pass", verdict.checks
    assert verdict.sentence == "Everything the gate asks for holds (5 checks)."


@pytest.mark.parametrize(
    ("worse", "name", "sentence"),
    [
        (
            {"accuracy": 0.8},
            "accuracy.keep",
            "tiny onnxruntime-int8 keeps 84.21 % of the teacher's accuracy (80.00 % of 95.00 %), −15.00 points (−16.36 to "
            "−13.73 with 95 % confidence); asked: at least 97.00 %. 2\u202f000 rows; to see such a drop takes 1\u202f139.",
        ),
        (
            {"p50_ms": 0.31},
            "latency.p50_ms",
            "tiny onnxruntime-int8 has a median of 0.310 ms at 1 × 16 tokens; asked: at most 0.300 ms.",
        ),
        (
            {"p95_ms": 9.0},
            "latency.p95_ms",
            "tiny onnxruntime-int8 has a 95th percentile of 9.00 ms at 1 × 16 tokens; asked: at most 0.500 ms.",
        ),
        (
            {"speedup": 2.5},
            "latency.speedup",
            "tiny onnxruntime-int8 is 2.50× as fast as the teacher at 1 × 16 tokens; asked: at least 20.0×.",
        ),
        ({"size_bytes": 5_100_000}, "size.max_mb", "tiny onnxruntime-int8 takes 5.10 MB; asked: at most 5.00 MB."),
    ],
)
def test_one_number_too_bad_fails_its_check_alone(worse, name, sentence):
    gate = Gate(
        accuracy=AccuracyGate(keep=0.97, on=TINY[1]),
        latency=LatencyGate(p50_ms=0.3, p95_ms=0.5, speedup=20, on=TINY[1]),
        size=SizeGate(max_mb=5, on=TINY[1]),
        students=("tiny",),
    )
    good = with_variant(REPORT, "teacher", "pytorch-fp32", accuracy=0.95)
    good = with_variant(good, *TINY, accuracy=0.94)
    assert judge(good, gate).answer == "pass"
    verdict = judge(with_variant(good, *TINY, **worse), gate)
    assert (verdict.answer, verdict.exit_code) == ("fail", 1)
    assert [(check.name, check.sentence) for check in verdict.checks if check.answer == "fail"] == [(name, sentence)]
    assert verdict.sentence == "Of 5 checks, 1 fails."


def test_every_export_is_judged_but_not_the_student_in_pytorch():
    assert [variant.id for variant in judged(REPORT, "tiny", None)] == [
        "onnxruntime-fp32",
        "onnxruntime-fp16",
        "onnxruntime-int8",
    ]
    only = without(REPORT, lambda variant: variant.model == "tiny" and variant.runtime != "pytorch")
    assert [variant.id for variant in judged(only, "tiny", None)] == ["pytorch-fp32"]
    verdict = judge(REPORT, Gate(students=("tiny",), size=SizeGate(max_mb=10)))
    assert answers(verdict) == {
        ("tiny", "onnxruntime-fp32"): "fail",
        ("tiny", "onnxruntime-fp16"): "pass",
        ("tiny", "onnxruntime-int8"): "pass",
    }


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        (
            Gate(size=SizeGate(max_mb=1, on="tensorrt-int8")),
            "tiny was not measured as tensorrt-int8. There: pytorch-fp32, ",
        ),
        (
            Gate(latency=LatencyGate(p50_ms=1, batch=4, sequence=16)),
            "tiny onnxruntime-int8 was not timed at 4 × 16 tokens. There: 1 × 16, 1 × 64, 8 × 16, 8 × 64.",
        ),
        (
            Gate(students=("huge",), size=SizeGate(max_mb=1)),
            "The gate names the student huge, which is not here. Here: small, tiny.",
        ),
        (Gate(baseline="reports/old.json"), "The baseline reports/old.json is not there."),
    ],
)
def test_what_was_not_measured_is_not_comparable(gate, sentence):
    verdict = judge(REPORT, gate)
    assert (verdict.answer, verdict.exit_code) == ("not comparable", 3)
    assert any(check.sentence.startswith(sentence) for check in verdict.checks), verdict.checks


def test_without_a_teacher_or_its_metric_nothing_is_kept_of_it():
    gate = Gate(accuracy=AccuracyGate(keep=0.5))
    for report in (
        without(REPORT, lambda variant: variant.model == "teacher"),
        with_variant(REPORT, "teacher", "pytorch-fp32", metrics={"f1_macro": 0.9}),
        with_variant(REPORT, "teacher", "pytorch-fp32", accuracy=-0.1),
    ):
        assert set(answers(judge(report, gate)).values()) == {"not comparable"}
    missing = judge(with_variant(REPORT, *TINY, metrics={"mcc": 0.9}), gate)
    assert answers(missing)[TINY] == "not comparable"
    assert "tiny onnxruntime-int8 cannot be judged: it has no accuracy. There: mcc." in [
        check.sentence for check in missing.checks
    ]


def test_a_variant_not_timed_beside_the_teacher_has_no_speedup():
    verdict = judge(with_variant(REPORT, *TINY, speedup=None), Gate(latency=LatencyGate(speedup=2)))
    assert answers(verdict)[TINY] == "not comparable"


def test_a_failure_outweighs_what_cannot_be_compared():
    verdict = judge(REPORT, Gate(size=SizeGate(max_mb=1), baseline="gone.json"))
    assert verdict.exit_code == 1
    assert verdict.sentence == "Of 7 checks, 6 fail and 1 is not comparable."


def apart(rows, lost, gained):
    """A report in which tiny's INT8 gets so many rows wrong that the teacher gets right, and the other way round."""
    gold = [0] * rows
    teacher = [0] * (rows - gained) + [1] * gained
    student = [1] * lost + [0] * (rows - lost)
    report = sample.record(rows=rows).model_copy(update={"gold": pack(gold)})
    report = with_variant(report, "teacher", "pytorch-fp32", predictions=pack(teacher))
    return with_variant(report, *TINY, predictions=pack(student))


@pytest.mark.parametrize(
    ("rows", "lost", "gained", "answer", "said"),
    [
        (1000, 10, 10, "pass", ". 1 000 rows; to see such a drop takes "),
        (1000, 80, 10, "fail", ". 1 000 rows; to see such a drop takes "),
        (100, 1, 1, "not comparable", ". 100 rows are too few to tell: to see such a drop takes "),
        (80, 0, 0, "not comparable", ". 80 rows are too few to tell: to see such a drop takes "),
        (1000, 35, 10, "not comparable", "too near the limit to tell on 1 000 rows: were the difference to stay, "),
        (1000, 39, 9, "not comparable", "too near the limit to tell on 1 000 rows."),
    ],
)
def test_what_the_rows_cannot_tell_is_not_comparable_and_says_how_many_can(rows, lost, gained, answer, said):
    gate = Gate(students=("tiny",), accuracy=AccuracyGate(keep=0.97, on=TINY[1]))
    (check,) = judge(apart(rows, lost, gained), gate).checks
    assert check.answer == answer
    assert said in check.sentence.replace("\u202f", " ")
    assert check.rows == rows
    assert str(check.needed) in check.sentence.replace("\u202f", "") or "near" in said
    assert check.low < check.seen < check.high
    assert (check.low > 0.97, check.high < 0.97) == (answer == "pass", answer == "fail")


def test_where_nothing_may_be_lost_only_a_better_model_passes():
    gate = Gate(students=("tiny",), accuracy=AccuracyGate(keep=1, on=TINY[1]))
    (check,) = judge(apart(5000, 0, 0), gate).checks
    assert (check.answer, check.needed) == ("not comparable", None)
    assert "nothing is lost shows only of a better model (`confidence: 0.5` takes" in check.sentence
    assert judge(apart(1000, 0, 20), gate).answer == "pass"
    assert judge(apart(1000, 20, 0), gate).answer == "fail"
    taken = Gate(students=("tiny",), accuracy=AccuracyGate(keep=1, confidence=0.5, on=TINY[1]))
    assert judge(apart(10, 0, 0), taken).answer == "pass"
    assert judge(apart(10, 1, 0), taken).answer == "fail"


BASE = REPORT


def test_a_report_is_no_worse_than_itself():
    verdict = judge(REPORT, Gate(baseline="b.json"), BASE)
    assert verdict.answer == "pass"
    assert {check.name for check in verdict.checks} == {"accuracy.max_drop", "latency.max_ratio", "size.max_ratio"}
    assert len(verdict.checks) == 3 * 6


def test_few_rows_do_not_show_that_nothing_is_lost():
    few = sample.record(rows=200)
    verdict = judge(few, Gate(), few)
    assert verdict.answer == "not comparable"
    assert set(answers(verdict, "accuracy.max_drop").values()) == {"not comparable"}
    assert set(answers(verdict, "size.max_ratio").values()) == {"pass"}


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        ({"accuracy": 0.5}, "accuracy.max_drop"),
        ({"p50_ms": 0.4}, "latency.max_ratio"),
        ({"size_bytes": 4_700_000}, "size.max_ratio"),
    ],
)
def test_worse_than_the_baseline_fails(worse, name):
    verdict = judge(with_variant(REPORT, *TINY, **worse), Gate(), BASE)
    assert verdict.answer == "fail"
    assert [(check.name, check.student, check.variant) for check in verdict.checks if check.answer == "fail"] == [
        (name, *TINY)
    ]


def test_within_what_the_gate_allows_is_not_worse():
    gate = Gate(
        accuracy=AccuracyGate(max_drop=0.02, confidence=0.5),
        latency=LatencyGate(max_ratio=2),
        size=SizeGate(max_ratio=1.1),
    )
    before = REPORT.variant(*TINY)
    changed = with_variant(
        REPORT,
        *TINY,
        accuracy=before.metrics["accuracy"] - 0.0195,
        p50_ms=0.55,
        size_bytes=int(before.size_bytes * 1.09),
    )
    assert judge(changed, gate, BASE).answer == "pass"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "text-pair-classification"}, "its task is text-classification, this one text-pair-classification"),
        ({"labels": sample.LABELS[::-1]}, "its labels are alarm, calendar"),
        ({"metric": "f1_macro"}, "its metric is accuracy, this one macro F1"),
    ],
)
def test_another_task_is_not_comparable(change, why):
    other = REPORT.model_copy(update={"task": REPORT.task.model_copy(update=change)})
    verdict = judge(other, Gate(), BASE)
    assert (verdict.answer, len(verdict.checks)) == ("not comparable", 1)
    assert why in verdict.checks[0].sentence


def test_other_test_rows_are_not_comparable():
    split = Split(rows=ROWS, sha256="44" * 32)
    other = REPORT.model_copy(update={"data": Data(train=split, validation=split, test=split)})
    verdict = judge(other, Gate(), BASE)
    assert verdict.answer == "not comparable"
    assert "its test rows differ (2000, 333333333333; here 2000, 444444444444)" in verdict.checks[0].sentence


@pytest.mark.parametrize("change", ["machine_class", "threads"])
def test_latency_is_compared_on_one_machine_class_only(change):
    slow = with_variant(REPORT, *TINY, p50_ms=50.0)
    if change == "threads":
        slow = slow.model_copy(update={"measure": slow.measure.model_copy(update={"threads": 4})})
    else:
        slow = slow.model_copy(update={"machine": slow.machine.model_copy(update={"machine_class": "a phone"})})
    verdict = judge(slow, Gate(), BASE)
    assert verdict.answer == "pass"
    assert not [check for check in verdict.checks if check.name.startswith("latency")]
    assert any(note.startswith("Latency not compared with the baseline: it was measured on ") for note in verdict.notes)


def test_what_the_baseline_has_and_the_report_lacks_is_not_comparable():
    gone = without(REPORT, lambda variant: (variant.model, variant.id) == TINY)
    verdict = judge(gone, Gate(), BASE)
    assert verdict.answer == "not comparable"
    assert answers(verdict)[TINY] == "not comparable"
    gone = without(REPORT, lambda variant: variant.model == "tiny")
    assert [check.sentence for check in judge(gone, Gate(), BASE).checks if check.answer != "pass"] == [
        "The student tiny of the baseline voice-commands is not here."
    ]


def test_what_is_new_is_noted_and_passes_unless_it_is_asked_for():
    old = without(BASE, lambda variant: (variant.model, variant.id) == TINY)
    verdict = judge(REPORT, Gate(), old)
    assert verdict.answer == "pass"
    assert "The baseline voice-commands has no tiny onnxruntime-int8: nothing to compare it with." in verdict.notes
    assert judge(REPORT, Gate(size=SizeGate(on=TINY[1])), old).answer == "not comparable"
    old = without(BASE, lambda variant: variant.model == "tiny")
    assert judge(REPORT, Gate(), old).answer == "pass"
    assert judge(REPORT, Gate(students=("tiny",)), old).answer == "not comparable"


def test_a_shape_the_baseline_was_not_timed_at_is_not_comparable():
    old = with_variant(BASE, *TINY, latency=())
    verdict = judge(REPORT, Gate(), old)
    assert answers(verdict, "latency.max_ratio")[TINY] == "not comparable"


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


def test_a_metric_that_is_not_installed_is_not_comparable():
    task = REPORT.task.model_copy(update={"metric": "acme"})
    report = REPORT.model_copy(update={"task": task})
    for variant in REPORT.variants:
        report = with_variant(report, variant.model, variant.id, metrics={"acme": 0.9})
    verdict = judge(report, Gate(accuracy=AccuracyGate(keep=0.9)))
    assert verdict.answer == "not comparable"
    assert "no metric `acme` is installed here to judge it by." in verdict.checks[0].sentence


def test_judging_loads_neither_torch_nor_numpy():
    code = "import sys; import compress.report.gate.verdict; sys.exit(bool({'torch', 'numpy', 'altair'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
