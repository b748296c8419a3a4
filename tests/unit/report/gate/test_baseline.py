"""What the gate says of a report beside a baseline."""

import pytest
import sample
from sample import TINY, answers, with_variant, without

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate
from compress.report.gate.verdict import judge
from compress.report.packing import pack
from compress.report.record import Data, Split

ROWS = 2000
REPORT = sample.older(sample.record(rows=ROWS))


def test_a_report_is_no_worse_than_itself():
    verdict = judge(REPORT, Gate(baseline="b.json"), REPORT)
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
    verdict = judge(with_variant(REPORT, *TINY, **worse), Gate(), REPORT)
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
    assert judge(changed, gate, REPORT).answer == "pass"


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
    verdict = judge(other, Gate(), REPORT)
    assert (verdict.answer, len(verdict.checks)) == ("not comparable", 1)
    assert why in verdict.checks[0].sentence


def test_other_test_rows_are_not_comparable():
    split = Split(rows=ROWS, sha256="44" * 32)
    other = REPORT.model_copy(update={"data": Data(train=split, validation=split, test=split)})
    verdict = judge(other, Gate(), REPORT)
    assert verdict.answer == "not comparable"
    assert "its test rows differ (2000, 333333333333; here 2000, 444444444444)" in verdict.checks[0].sentence


def test_other_labels_of_rows_with_the_same_digest_are_not_comparable():
    other = REPORT.model_copy(update={"gold": pack([0] * ROWS)})
    verdict = judge(other, Gate(), REPORT)
    assert verdict.answer == "not comparable"
    assert "its test rows have the same digest and other labels" in verdict.checks[0].sentence


@pytest.mark.parametrize("change", ["machine_class", "threads"])
def test_latency_is_compared_on_one_machine_class_only(change):
    slow = with_variant(REPORT, *TINY, p50_ms=50.0)
    if change == "threads":
        slow = slow.model_copy(update={"measure": slow.measure.model_copy(update={"threads": 4})})
    else:
        slow = slow.model_copy(update={"machine": slow.machine.model_copy(update={"machine_class": "a phone"})})
    verdict = judge(slow, Gate(), REPORT)
    assert verdict.answer == "pass"
    assert not [check for check in verdict.checks if check.name.startswith("latency")]
    assert any(note.startswith("Latency not compared with the baseline: it was measured on ") for note in verdict.notes)


def test_what_the_baseline_has_and_the_report_lacks_is_not_comparable():
    gone = without(REPORT, lambda variant: (variant.model, variant.id) == TINY)
    verdict = judge(gone, Gate(), REPORT)
    assert verdict.answer == "not comparable"
    assert answers(verdict)[TINY] == "not comparable"
    gone = without(REPORT, lambda variant: variant.model == "tiny")
    assert [check.sentence for check in judge(gone, Gate(), REPORT).checks if check.answer != "pass"] == [
        "The student tiny of the baseline voice-commands is not here."
    ]


def test_what_is_new_is_noted_and_passes_unless_it_is_asked_for():
    old = without(REPORT, lambda variant: (variant.model, variant.id) == TINY)
    verdict = judge(REPORT, Gate(), old)
    assert verdict.answer == "pass"
    assert "The baseline voice-commands has no tiny onnxruntime-int8: nothing to compare it with." in verdict.notes
    assert judge(REPORT, Gate(size=SizeGate(on=TINY[1])), old).answer == "not comparable"
    old = without(REPORT, lambda variant: variant.model == "tiny")
    assert judge(REPORT, Gate(), old).answer == "pass"
    assert judge(REPORT, Gate(students=("tiny",)), old).answer == "not comparable"


def test_a_shape_the_baseline_was_not_timed_at_is_not_comparable():
    old = with_variant(REPORT, *TINY, latency=())
    verdict = judge(REPORT, Gate(), old)
    assert answers(verdict, "latency.max_ratio")[TINY] == "not comparable"
