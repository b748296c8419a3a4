import sample
from tabular import cells

from compress.config.settings import Gate
from compress.report.gate.verdict import judge
from compress.report.pages.tables import cards, latency, models

REPORT = sample.record(rows=200)


def test_a_variant_is_compared_with_the_teacher_in_pytorch():
    row = cells(models.table(REPORT))[9]
    assert (row["model"], row["runtime"]) == ("tiny", "ONNX Runtime INT8")
    assert (row["size"], row["smaller"], row["peak memory"]) == ("4.56 MB", "19.9×", "83.0 MB")
    assert (row["p50 at 1 × 16"], row["p95"], row["speed-up"]) == ("0.290 ms", "0.322 ms", "29.3×")


def test_what_was_not_measured_is_a_dash():
    bare = REPORT.variants[9].model_copy(
        update={"latency": (), "same_rows": None, "peak_memory_bytes": None, "metrics": {}, "parity": None}
    )
    report = REPORT.model_copy(update={"variants": (bare,)})
    (row,) = models.table(report).rows
    assert row[3:] == ("–",) * 7
    assert latency.medians(report).rows == (("tiny", "ONNX Runtime INT8"),)
    assert latency.shapes(report) == ()
    (card,) = cards.cards(report, judge(report, Gate()))
    assert [what for _, what in card.numbers] == ["file"]
