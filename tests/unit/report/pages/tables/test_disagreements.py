import sample

from compress.report.packing import pack, unpack
from compress.report.pages.tables import disagreements
from compress.report.record import Row

LOST, PARTED, WRONG, WON = disagreements.KINDS


def report(answers):
    """A report whose row 0, a `music`, gets these labels from its variants in order; the missing ones are right."""
    base = sample.record(rows=8)
    right = sample.LABELS.index("music")
    gold = [right, *unpack(base.gold)[1:]]
    given = [*answers, *["music"] * (len(base.variants) - len(answers))]
    variants = [
        one.model_copy(update={"predictions": pack([sample.LABELS.index(label), *gold[1:]])})
        for one, label in zip(base.variants, given, strict=True)
    ]
    rows = (Row(row=0, text="play it"),)
    return base.model_copy(update={"gold": pack(gold), "variants": tuple(variants), "rows": rows})


def kind(answers):
    ((found, (one,)),) = disagreements.grouped(report(answers))
    assert one.label == "music"
    return found


def test_who_is_right_tells_the_kind():
    assert kind(["music"] * 2 + ["news"] * 8) == LOST
    assert kind(["music"] * 2 + ["news"] * 7 + ["music"]) == PARTED
    assert kind(["alarm"] * 2 + ["news"] * 8) == WRONG
    assert kind(["alarm"] * 2 + ["music"] * 8) == WON
    assert kind(["music", "alarm", *["news"] * 8]) == LOST, "an export of the teacher's that errs too changes nothing"


def test_answers_are_told_once_with_the_exports_that_give_them():
    (one,) = disagreements.disagreements(report(["music", "music", *["news"] * 3, "timer"]))
    answers = dict(one.answers)
    assert answers["teacher"] == (disagreements.Answer("music", True, ()),)
    assert answers["small"] == (
        disagreements.Answer("news", False, ("PyTorch FP32", "ONNX Runtime FP32", "ONNX Runtime FP16")),
        disagreements.Answer("timer", False, ("ONNX Runtime INT8",)),
    )
    assert answers["tiny"] == (disagreements.Answer("music", True, ()),)
