import xml.etree.ElementTree as ElementTree

import sample

from compress.report.pages.pictures import curves


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
