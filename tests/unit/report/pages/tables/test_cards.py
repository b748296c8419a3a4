import sample

from compress.config.settings import AccuracyGate, Gate
from compress.report.gate.verdict import judge
from compress.report.pages.tables import cards

REPORT = sample.record(rows=200)


def test_a_card_shows_the_fastest_export_that_holds():
    gate = Gate(accuracy=AccuracyGate(keep=0.97))
    report = sample.record(rows=600)
    small, tiny = cards.cards(report, judge(report, gate))
    assert (small.student, small.export) == ("small", "ONNX Runtime INT8")
    assert (tiny.student, tiny.export) == ("tiny", "ONNX Runtime FP32")  # INT8 keeps too little
    assert tiny.numbers[1:] == (("12.0×", "as fast"), ("5.15×", "smaller"), ("17.6 MB", "file"))
    hopeless = Gate(accuracy=AccuracyGate(keep=1, confidence=0.5))
    assert cards.cards(report, judge(report, hopeless))[1].export == "ONNX Runtime INT8"
