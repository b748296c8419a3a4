import sample
from tabular import cells

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
    found = list(slices.parts(REPORT))
    for by in ("label", "length", "source"):
        rows = [row for part in found if part.by == by for row in part.rows]
        assert sorted(rows) == list(range(600)), by
    assert sum(part.by == "length" for part in found) == 4


def test_without_a_teacher_nothing_moved():
    alone = REPORT.model_copy(update={"variants": REPORT.variants[1:]})
    assert slices.table(alone, alone.variants[-1], moved=False).rows == ()
