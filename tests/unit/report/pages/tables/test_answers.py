import sample
from tabular import cells

from compress.report.pages.tables import answers

REPORT = sample.record(rows=60)


def test_divergence_and_calibration_are_told_with_their_intervals():
    row = cells(answers.table(REPORT))[-1]
    assert row["divergence (nats)"] == "0.011 (0.0088–0.0132)"
    assert row["calibration error"] == "5.05 % (4.04–6.06)"


def test_an_older_report_has_neither():
    variants = tuple(v.model_copy(update={"divergence": None, "calibration_error": None}) for v in REPORT.variants)
    heads = [column.text for column in answers.table(REPORT.model_copy(update={"variants": variants})).columns]
    assert heads[-1] == "answers as the teacher"


def test_exported_files_stand_beside_what_was_allowed():
    rows = cells(answers.parity(REPORT))
    assert len(rows) == 7
    assert (rows[-1]["at most"], rows[-1]["allowed"], rows[-1]["rows"]) == ("0.35", "0.5", "128")
