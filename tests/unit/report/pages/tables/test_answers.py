import pytest
import sample
from tabular import cells

from compress.report.pages.tables import answers
from compress.report.variant import Estimate

REPORT = sample.record(rows=60)


def test_divergence_and_calibration_are_told_with_their_intervals():
    row = cells(answers.table(REPORT))[-1]
    assert row["divergence (nats)"] == "0.011 (0.0088–0.0132)"
    assert row["calibration error"] == "5.05 % (4.04–6.06)"


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (0, 0, 0, "0"),
        (1.48e-13, 1.13e-13, 2.43e-13, "<0.0001"),
        (2e-5, 1e-5, 2e-4, "2e-05 (1e-05–0.0002)"),
        (1.23456, 1, 1.5, "1.23 (1–1.5)"),
    ],
)
def test_a_divergence_that_is_surely_below_what_anyone_asks_for_takes_little_room(
    value: float, low: float, high: float, told: str
):
    seen = Estimate(value=value, low=low, high=high)
    variants = (REPORT.variants[0].model_copy(update={"divergence": seen}), *REPORT.variants[1:])
    assert cells(answers.table(REPORT.model_copy(update={"variants": variants})))[0]["divergence (nats)"] == told


def test_an_older_report_has_neither():
    variants = tuple(v.model_copy(update={"divergence": None, "calibration_error": None}) for v in REPORT.variants)
    heads = [column.text for column in answers.table(REPORT.model_copy(update={"variants": variants})).columns]
    assert heads[-1] == "answers as the teacher"


def test_exported_files_stand_beside_what_was_allowed():
    rows = cells(answers.parity(REPORT))
    assert len(rows) == 7
    assert (rows[-1]["at most"], rows[-1]["allowed"], rows[-1]["rows"]) == ("0.35", "0.5", "128")
