import sample

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate
from compress.config.settings.gate import CalibrationGate, FidelityGate, SliceGate
from compress.report.gate.verdict import judge
from compress.report.pages.tables import checks

REPORT = sample.record(rows=200)


def test_each_thing_asked_is_a_column_with_its_limit():
    gate = Gate(
        accuracy=AccuracyGate(keep=0.9), size=SizeGate(max_mb=5), latency=LatencyGate(p95_ms=3, on="onnxruntime-int8")
    )
    table = checks.table(REPORT, judge(REPORT, gate))
    assert [column.text for column in table.columns] == [
        "model",
        "export",
        "accuracy kept ≥ 90.00 %",
        "p95 ≤ 3.00 ms",
        "size ≤ 5.00 MB",
    ]
    assert [row[3] for row in table.rows] == ["–", "–", "0.699 ms ✓", "–", "–", "0.322 ms ✓"]
    assert [row[4] for row in table.rows][-2:] == ["8.83 MB ✗", "4.56 MB ✓"]


def test_what_is_kept_is_called_by_the_metric_that_is_judged():
    report = REPORT.model_copy(update={"task": REPORT.task.model_copy(update={"metric": "f1_macro"})})
    table = checks.table(report, judge(report, Gate(accuracy=AccuracyGate(keep=0.9))))
    assert table.columns[2].text == "macro F1 kept ≥ 90.00 %"


def test_a_comparison_with_a_baseline_has_its_columns():
    table = checks.table(REPORT, judge(REPORT, Gate(), REPORT))
    assert [column.text for column in table.columns][2:] == [
        "drop since baseline ≤ 0.0100",
        "p50 to baseline ≤ 1.25×",
        "size to baseline ≤ 1.02×",
    ]
    assert table.rows[0][2:] == ("+0.0000 ?", "1.00× ✓", "1.00× ✓")  # 200 rows show no drop of a point


def test_fidelity_calibration_and_slices_have_their_columns():
    gate = Gate(
        fidelity=FidelityGate(agreement=0.5, kl=0.02),
        calibration=CalibrationGate(ece=0.2),
        slices=(SliceGate(by="label", max_drop=0.6),),
    )
    table = checks.table(REPORT, judge(REPORT, gate))
    assert [column.text for column in table.columns][2:] == [
        "answers as the teacher ≥ 50.00 %",
        "divergence (nats) ≤ 0.02",
        "calibration error ≤ 20.00 %",
        "worst loss by label, points ≤ 60.00",
    ]
    assert all(cell.endswith("✓") for row in table.rows for cell in row[2:])


def test_two_slicings_by_one_thing_hide_nothing_of_each_other():
    strict = SliceGate(by="length", max_drop=0.01, edges=(5,))
    for slices in ((strict, SliceGate(by="length", max_drop=0.2)), (strict, strict.model_copy(update={"edges": (1,)}))):
        told = [checks.table(REPORT, judge(REPORT, Gate(slices=given))) for given in (slices, slices[::-1])]
        assert all(any(cell.endswith("✗") for cell in table.rows[-1]) for table in told)
