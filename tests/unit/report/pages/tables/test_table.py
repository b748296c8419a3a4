import pytest
import sample

from compress.report.gate.verdict import judge
from compress.report.pages.tables import answers, checks, confusion, cuts, latency, models, precisions, slices, stages

REPORT = sample.record(rows=200)


@pytest.mark.parametrize(
    "table",
    [
        models.table(REPORT),
        latency.medians(REPORT),
        *(latency.percentiles(REPORT, shape) for shape in latency.shapes(REPORT)),
        answers.table(REPORT),
        answers.parity(REPORT),
        precisions.table(REPORT),
        slices.table(REPORT, REPORT.variants[-1], moved=False),
        stages.table(REPORT),
        confusion.pairs(REPORT, "tiny"),
        cuts.layers(REPORT.structures["small"]),
        checks.table(REPORT, judge(REPORT, REPORT.gate)),
    ],
)
def test_every_row_is_as_wide_as_the_head(table):
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert all(
        isinstance(cell, str) and (cell or column.text == "notes")
        for row in table.rows
        for cell, column in zip(row, table.columns, strict=True)
    )
