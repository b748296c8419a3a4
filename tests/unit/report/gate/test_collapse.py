import sample

from compress.config.settings import AccuracyGate, Gate
from compress.report.gate.collapse import collapsed
from compress.report.gate.verdict import judge
from compress.report.packing import pack

BASE = sample.record(rows=300)


def stuck(*ids, of=BASE):
    """The report with these variants of tiny answering `music` to every row."""
    music = pack([sample.LABELS.index("music")] * of.data.test.rows)
    variants = [
        one.model_copy(update={"predictions": music}) if one.model == "tiny" and one.id in ids else one
        for one in of.variants
    ]
    return of.model_copy(update={"variants": tuple(variants)})


def test_a_model_with_one_answer_is_called_out_in_the_first_line():
    report = stuck("pytorch-fp32", "onnxruntime-int8")
    assert collapsed(report) == ("tiny answers `music` to every row (pytorch-fp32, onnxruntime-int8)",)
    verdict = judge(report, Gate(students=("tiny",), accuracy=AccuracyGate(keep=0.9)))
    assert "Collapsed: tiny answers `music` to every row (pytorch-fp32, onnxruntime-int8)." in verdict.headline
    assert verdict.answer == "fail"


def test_answers_to_rows_of_one_label_are_no_collapse():
    report = stuck("onnxruntime-int8")
    same = report.model_copy(update={"gold": pack([0] * 300)})
    assert collapsed(same) == ()
    assert collapsed(BASE) == ()
