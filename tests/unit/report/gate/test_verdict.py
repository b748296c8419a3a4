"""What the gate says of a report by itself."""

import subprocess
import sys

import pytest
import sample
from sample import TINY, answers, with_variant, without

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate
from compress.report.gate.judged import judged
from compress.report.gate.verdict import judge
from compress.report.packing import pack

ROWS = 2000
REPORT = sample.older(sample.record(rows=ROWS))


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
