import sample
from tabular import cells

from compress.report.pages.tables import latency
from compress.report.variant import Interval

REPORT = sample.record(rows=60)


def test_percentiles_stand_with_their_intervals():
    row = cells(latency.percentiles(REPORT, (1, 16)))[0]
    assert (row["p50"], row["p90"], row["p99"]) == ("8.49 ms (8.32–8.66)", "9.00 ms", "11.0 ms")
    assert row["p95"].startswith("9.42 ms (")
    assert row["rows per second"] == "118"


def test_an_older_report_has_no_intervals():
    cell = REPORT.variants[0].latency[0]
    bare = cell.model_copy(update={"p50_interval": None, "p95_interval": None, "speedup_interval": None})
    variant = REPORT.variants[0].model_copy(update={"latency": (bare,), "same_rows": None})
    report = REPORT.model_copy(update={"variants": (variant,)})
    assert latency.shapes(report) == ((1, 16),)
    assert latency.percentiles(report, (1, 16)).rows[0][2:8] == (
        "8.49 ms",
        "9.00 ms",
        "9.42 ms",
        "11.0 ms",
        "8.66 ms",
        "1.00×",
    )


def test_short_and_long_times_keep_three_digits():
    assert latency._within(0.29, Interval(low=0.2811, high=0.3)) == "0.290 ms (0.281–0.300)"
    assert latency._within(229, Interval(low=201.4, high=250)) == "229 ms (201–250)"


def test_real_rows_are_the_last_shape():
    assert [latency.title(shape) for shape in latency.shapes(REPORT)] == [
        "1 × 16",
        "1 × 64",
        "8 × 16",
        "8 × 64",
        "real rows, one by one",
    ]
