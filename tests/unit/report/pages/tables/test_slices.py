import sample
from tabular import cells

from compress.config.settings.gate import SliceGate
from compress.report.packing import pack, unpack
from compress.report.pages.tables import slices

REPORT = sample.record(rows=600)
TEACHER = REPORT.reference


def without(label):
    """The teacher's answers, but for one label: all of its rows are answered wrongly."""
    gold, answers = unpack(REPORT.gold), unpack(TEACHER.predictions)
    lost = [(is_ + 1) % 8 if is_ == label else seen for is_, seen in zip(gold, answers, strict=True)]
    return REPORT.variants[-1].model_copy(update={"predictions": pack(lost)})


def test_a_label_that_collapsed_comes_first():
    worst = cells(slices.table(REPORT, without(3), moved=True))[0]
    assert (worst["by"], worst["part"], worst["student"], worst["moved"]) == ("label", "music", "0.00 %", "worse ▼")
    assert worst["rows"] == str(unpack(REPORT.gold).count(3))


def test_the_same_answers_move_nothing():
    assert slices.table(REPORT, TEACHER, moved=True).rows == ()
    every = cells(slices.table(REPORT, TEACHER, moved=False))
    assert {row["moved"] for row in every} == {"no"}
    assert {row["by"] for row in every} == {"label", "length", "source"}


def test_the_parts_of_one_kind_hold_every_row_once():
    found = cells(slices.table(REPORT, REPORT.variants[-1], moved=False))
    for by in ("label", "length", "source"):
        assert sum(int(row["rows"]) for row in found if row["by"] == by) == 600, by
    assert sum(row["by"] == "length" for row in found) == 4


def test_lengths_are_parted_as_the_gate_parts_them():
    gate = REPORT.gate.model_copy(update={"slices": (SliceGate(by="length", edges=(10,)),)})
    found = cells(slices.table(REPORT.model_copy(update={"gate": gate}), REPORT.variants[-1], moved=False))
    assert {row["part"] for row in found if row["by"] == "length"} == {"up to 9 tokens", "from 10 tokens"}


def test_without_a_teacher_nothing_moved():
    alone = REPORT.model_copy(update={"variants": REPORT.variants[1:]})
    assert slices.table(alone, alone.variants[-1], moved=False).rows == ()
