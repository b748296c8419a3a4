import pytest
import sample

from compress.config.settings import Gate
from compress.report.gate.trade import trades
from compress.report.gate.verdict import judge
from compress.report.packing import pack, unpack
from compress.report.pages import markdown
from compress.report.pages.tables import precisions
from compress.report.variant import Estimate, Unmeasured

ROWS = 2000
BASE = sample.record(rows=ROWS)
INT8 = ("tiny", "onnxruntime-int8")


def changed(speeds=(2.0, 2.0, 2.0, 2.0), lost=0, of=BASE, **more):
    """A report in which tiny's INT8 has the answers of its FP32, but for `lost` right ones, and these speeds beside it."""
    plain = of.variant("tiny", "onnxruntime-fp32")
    answers, gold = list(unpack(plain.predictions)), unpack(of.gold)
    right = [row for row, (seen, is_) in enumerate(zip(answers, gold, strict=True)) if seen == is_]
    for row in right[:lost]:
        answers[row] = (answers[row] + 1) % len(sample.LABELS)
    own = of.variant(*INT8)
    cells = tuple(
        cell.model_copy(update={"to_plain": Estimate(value=speed, low=speed - 0.05, high=speed + 0.05)})
        for cell, speed in zip(own.latency, speeds, strict=True)
    )
    fields = {"predictions": pack(answers), "latency": cells, "max_drop": 0.01, **more}
    variants = [one.model_copy(update=fields) if one is own else one for one in of.variants if one.precision != "fp16"]
    return of.model_copy(update={"variants": tuple(variants)})


def seen(record):
    return next(trade for trade in trades(record) if (trade.variant.model, trade.variant.id) == INT8)


def test_faster_as_accurate_and_smaller_is_no_regression():
    trade = seen(changed())
    assert not trade.regressed
    assert not trade.unsure
    assert not trade.larger
    assert trade.fault == ""
    assert trade.plain.id == "onnxruntime-fp32"
    assert len(trade.faster) == 4
    assert trade.sentence == (
        "tiny onnxruntime-int8 against onnxruntime-fp32: faster at 1 × 16 (2.00×), 1 × 64 (2.00×), 8 × 16 (2.00×) and "
        "8 × 64 (2.00×); accuracy +0.00 ± 0.19 points, within 1.00; 25.86 % of the size."
    )


def test_rankings_may_flip_with_the_shape():
    trade = seen(changed((2.0, 1.02, 0.9, 0.8)))
    assert [cell.batch for cell in trade.slower] == [8, 8]
    assert [(cell.batch, cell.sequence) for cell in trade.faster] == [(1, 16)]
    assert trade.fault == "slower at 8 × 16 (0.90×) and 8 × 64 (0.80×)"
    assert "as fast at 1 × 64 (1.02×)" in trade.sentence


@pytest.mark.parametrize(("lost", "worse", "unsure"), [(0, False, False), (22, False, True), (60, True, False)])
def test_too_many_rows_lost_is_a_regression_only_beyond_noise(lost, worse, unsure):
    trade = seen(changed(lost=lost))
    assert (trade.worse, trade.unsure, trade.regressed) == (worse, unsure, worse)
    assert trade.fault.startswith("loses 3.00 ± ") is worse


def test_the_first_line_of_the_report_says_so_whatever_the_gate_asks():
    record = changed((0.8, 0.8, 0.85, 0.9), lost=60)
    lines = markdown.render(record, judge(record, Gate()), None).splitlines()
    assert lines[2].startswith(
        "**✓ Pass.** The gate asks for nothing. Slower or worse than plain: tiny onnxruntime-int8 "
        "(slower, 0.80×–0.90× as fast and loses 3.00 ± "
    )


@pytest.mark.parametrize(
    ("speeds", "lost", "answer"),
    [
        ((2.0, 2.0, 2.0, 2.0), 0, "faster"),
        ((2.0, 1.02, 1.02, 1.02), 0, "faster at 1 of 4"),
        ((1.02, 1.02, 1.02, 1.02), 22, "as fast, accuracy unsure"),
        ((0.8, 2.0, 2.0, 2.0), 60, "slower and loses too much ✗"),
    ],
)
def test_the_answer_says_where_it_is_faster_and_what_is_unsure(speeds, lost, answer):
    rows = precisions.table(changed(speeds, lost)).rows
    assert next(row for row in rows if row[:2] == ("tiny", "ONNX Runtime INT8"))[3] == answer


def test_keep_judges_it_and_lets_it_pass():
    verdict = judge(changed((0.8, 0.8, 0.8, 0.8)), BASE.gate)
    assert any(check.variant == INT8[1] and check.student == "tiny" for check in verdict.checks)
    assert not any(check.name == "export.on_regression" for check in verdict.checks)


def test_drop_takes_it_out_of_the_gate_and_says_so():
    record = changed((0.8, 0.8, 0.8, 0.8), on_regression="drop")
    verdict = judge(record, BASE.gate)
    assert not any(check.variant == INT8[1] and check.student == "tiny" for check in verdict.checks)
    assert "tiny onnxruntime-int8 (slower, 0.80× as fast, dropped)" in verdict.headline
    good = judge(changed(on_regression="drop"), BASE.gate)
    assert any(check.variant == INT8[1] and check.student == "tiny" for check in good.checks)


def test_fail_fails():
    verdict = judge(changed((0.8, 2, 2, 2), on_regression="fail"), Gate())
    assert verdict.exit_code == 1
    assert [check.answer for check in verdict.checks] == ["fail"]
    assert judge(changed(on_regression="fail"), Gate()).exit_code == 0


def test_fail_cannot_be_judged_without_both_measurements():
    lone = changed(on_regression="fail")
    lone = lone.model_copy(update={"variants": tuple(v for v in lone.variants if v.id != "onnxruntime-fp32")})
    verdict = judge(lone, Gate())
    assert [check.sentence for check in verdict.checks] == [
        "tiny onnxruntime-int8: onnxruntime-fp32, which it is compared with, was not run here."
    ]
    assert verdict.exit_code == 3
    built = Unmeasured(model="tiny", id="coreml-int8", size_bytes=9, reason="no macOS.", on_regression="fail")
    verdict = judge(BASE.model_copy(update={"unmeasured": (built,)}), Gate())
    assert [check.sentence for check in verdict.checks] == ["tiny coreml-int8 was not run here: no macOS."]
    assert verdict.exit_code == 3


def test_where_all_that_was_asked_for_is_dropped_there_is_nothing_to_judge():
    record = changed((0.8, 0.8, 0.8, 0.8), on_regression="drop")
    kept = [one for one in record.variants if one.model != "small"]
    kept = [one.model_copy(update={"asked": one.model == "teacher" or one.precision == "int8"}) for one in kept]
    record = record.model_copy(update={"variants": tuple(kept)})
    verdict = judge(record, BASE.gate)
    assert (verdict.exit_code, {check.answer for check in verdict.checks}) == (3, {"not comparable"})
    assert "tiny has no export to judge: those asked for were dropped or not run here." in verdict.checks[0].sentence
    assert markdown.render(record, verdict)


def test_a_student_of_which_nothing_runs_here_does_not_pass():
    built = Unmeasured(model="tiny", id="coreml-fp16", size_bytes=9, reason="no macOS.")
    record = BASE.model_copy(update={"variants": BASE.of("teacher"), "unmeasured": (built,)})
    assert judge(record, Gate()).exit_code == 0
    assert judge(record, BASE.gate).exit_code == 3
    assert markdown.render(record, judge(record, BASE.gate))


def test_the_first_line_names_those_of_students_that_the_gate_leaves_aside():
    verdict = judge(changed((0.8, 0.8, 0.8, 0.8)), Gate(students=("small",)))
    assert verdict.regressions == ("tiny onnxruntime-int8 (slower, 0.80× as fast)",)


def test_a_plain_one_that_nobody_asked_for_is_not_judged():
    plain = BASE.variant("tiny", "onnxruntime-fp32")
    variants = [one.model_copy(update={"asked": False}) if one is plain else one for one in BASE.variants]
    verdict = judge(BASE.model_copy(update={"variants": tuple(variants)}), BASE.gate)
    assert not any((check.student, check.variant) == ("tiny", "onnxruntime-fp32") for check in verdict.checks)


def test_what_could_not_run_here_is_said_to_be_unmeasured():
    built = Unmeasured(model="tiny", id="coreml-fp16", size_bytes=8_800_000, reason="Core ML runs on macOS.")
    verdict = judge(BASE.model_copy(update={"unmeasured": (built,)}), Gate())
    assert "tiny coreml-fp16 was built (8.80 MB) and not run here: Core ML runs on macOS." in verdict.notes


def test_the_table_has_a_row_a_lower_precision_and_how_it_was_made():
    table = precisions.table(changed((0.8, 2, 2, 2)))
    row = next(row for row in table.rows if row[:2] == ("tiny", "ONNX Runtime INT8"))
    assert row[2:4] == ("FP32", "slower ✗")
    assert row[6:8] == ("0.80× (0.75–0.85)", "2.00× (1.95–2.05)")
    assert "tiny ONNX Runtime INT8: the word embeddings' rows share one scale." in precisions.making(BASE)
