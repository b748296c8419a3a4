import xml.etree.ElementTree as ElementTree

import sample

from compress.report.pages.pictures import curves
from compress.report.pages.tables import stages


def test_each_stage_that_trained_has_its_curve():
    written = [element.text for element in ElementTree.fromstring(curves.curves(sample.record(rows=60))).iter()]
    assert [name for name in written if name and ("/" in name or name == "teacher")] == [
        "teacher",
        "distill/small",
        "distill/tiny",
        "prune/small",
        "prune/tiny",
    ]
    assert written.count("validation accuracy") == written.count("training loss") == 5


def test_what_is_watched_is_the_accuracy_whatever_the_gate_judges_by():
    report = sample.record(rows=60)
    other = report.model_copy(update={"task": report.task.model_copy(update={"metric": "mcc"})})
    assert curves.curves(other) == curves.curves(report)
    assert stages.table(other) == stages.table(report)
