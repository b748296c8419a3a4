import pytest
import sample

from compress.report.gate.margin import margin
from compress.report.packing import pack


def report(gold, teacher, student):
    """A report of as many rows, on which the teacher and tiny answer as given."""
    base = sample.record(rows=len(gold))
    variants = tuple(
        variant.model_copy(update={"predictions": pack(teacher if variant.model == "teacher" else student)})
        for variant in base.variants
    )
    return base.model_copy(update={"variants": variants, "gold": pack(gold)})


def test_only_rows_that_one_gets_right_and_the_other_wrong_count():
    gold = [0] * 100
    teacher = [0] * 90 + [1] * 10
    student = [0] * 84 + [1] * 12 + [0] * 4  # 6 rows lost, 4 gained
    record = report(gold, teacher, student)
    seen = margin(record, record.variant("tiny", "pytorch-fp32"))
    assert seen.difference == pytest.approx(-0.02)
    assert (seen.low, seen.high) == pytest.approx((-0.0917, 0.0483), abs=5e-4)
    assert seen.half_width == pytest.approx((seen.high - seen.low) / 2)


@pytest.mark.parametrize(("rows", "width"), [(1, 0.7935), (50, 0.0714), (1000, 0.0038)])
def test_the_same_answers_to_few_rows_prove_little(rows, width):
    record = report([0] * rows, [0] * rows, [0] * rows)
    seen = margin(record, record.variant("tiny", "pytorch-fp32"))
    assert seen.difference == 0
    assert seen.half_width == pytest.approx(width, rel=0.01)


def test_without_a_teacher_there_is_no_margin():
    record = sample.record(rows=40)
    lone = record.model_copy(update={"variants": record.of("tiny")})
    assert margin(lone, lone.variants[0]) is None
