import pytest
import sample

from compress.config.settings import AccuracyGate, Gate, SliceGate
from compress.report.gate import slices
from compress.report.gate.verdict import judge
from compress.report.packing import pack, unpack
from compress.report.record import Column

ROWS = 800
BASE = sample.older(sample.record(rows=ROWS))
TINY = ("tiny", "onnxruntime-int8")


def answered(wrong, of=BASE, teacher=()):
    """A report whose teacher and tiny's INT8 are right but for these rows."""
    gold = unpack(of.gold)

    def answers(rows):
        return pack((label + (row in rows)) % len(sample.LABELS) for row, label in enumerate(gold))

    changed = {("teacher", "pytorch-fp32"): answers(set(teacher)), TINY: answers(set(wrong))}
    variants = [
        one.model_copy(update={"predictions": changed.get((one.model, one.id), one.predictions)}) for one in of.variants
    ]
    return of.model_copy(update={"variants": tuple(variants)})


def of_label(label, of=BASE):
    return [row for row, right in enumerate(unpack(of.gold)) if right == label]


def check(report, baseline=None, **gate):
    asked = Gate(students=("tiny",), slices=(SliceGate(on=TINY[1], **{"by": "label", **gate}),))
    verdict = judge(report, asked, baseline)
    return next(check for check in verdict.checks if check.name.startswith("slices.")), verdict


def test_every_slice_kept_passes():
    seen, verdict = check(answered([]))
    assert (seen.name, seen.student, seen.variant, seen.answer) == ("slices.label", *TINY, "pass")
    assert seen.sentence.startswith(
        "tiny onnxruntime-int8 by label: no slice loses more than the 10 points allowed; the worst is "
    )
    assert (seen.limit, verdict.notes) == (0.1, ())


def test_an_average_hides_no_label_that_collapsed():
    report = answered(of_label(3))
    seen, _ = check(report)
    assert seen.answer == "fail"
    assert (
        "more than the 10 points allowed are lost in 1 slice: music −100.00 points beside the teacher ("
        in seen.sentence
    )
    assert seen.seen == pytest.approx(1)
    assert seen.low <= seen.seen <= seen.high + 1e-9
    assert judge(report, Gate(accuracy=AccuracyGate(keep=0.8, on=TINY[1]), students=("tiny",))).answer == "pass"


def test_a_large_slice_that_cannot_be_told_is_not_comparable():
    seen, _ = check(answered(of_label(3)[:8]))
    assert seen.answer == "not comparable"
    assert "too few rows to tell in 1 slice whether the 10 points allowed are kept: music −" in seen.sentence


def parted(of_last):
    """A report with a column that says `rare` of so many last rows."""
    places = [int(row >= ROWS - of_last) for row in range(ROWS)]
    return BASE.model_copy(update={"columns": {"source": Column(values=("common", "rare"), rows=pack(places))}})


def test_a_small_slice_is_judged_only_where_it_fails():
    report = parted(12)
    seen, verdict = check(answered([], report), by="source")
    assert seen.answer == "pass"
    assert verdict.notes == ("By source, what has fewer than 25 rows is judged only where a loss is shown: rare (12).",)
    assert check(answered([ROWS - 1], report), by="source")[0].answer == "pass"
    assert check(answered(range(ROWS - 12, ROWS), report), by="source")[0].answer == "fail"


def test_a_small_slice_that_collapsed_is_never_green_among_many():
    """All 6 rows lost: shown by a test of them alone, not by one of 25 slices."""
    values = (*(f"part {number}" for number in range(24)), "rare")
    rows = pack(24 if row >= ROWS - 6 else row % 24 for row in range(ROWS))
    report = BASE.model_copy(update={"columns": {"source": Column(values=values, rows=rows)}})
    assert check(answered([], report), by="source")[0].answer == "pass"
    assert check(answered([ROWS - 1], report), by="source")[0].answer == "pass"
    seen, _ = check(answered(range(ROWS - 6, ROWS), report), by="source")
    assert seen.answer == "not comparable"
    assert "too few rows to tell in 1 slice whether the 10 points allowed are kept: rare −100.00" in seen.sentence


def test_without_a_slice_that_is_large_enough_nothing_can_be_told():
    few = sample.record(rows=40)
    seen, _ = check(answered([], few))
    assert seen.answer == "not comparable"
    assert seen.sentence.endswith("no slice has the 25 rows that it takes to show that the 10 points allowed are kept.")


def test_a_slice_is_compared_with_the_baselines_too():
    lost = of_label(3)
    report, before = answered(lost, teacher=lost), answered([], teacher=lost)
    assert check(report)[0].answer == "pass"
    seen, _ = check(report, before)
    assert seen.answer == "fail"
    assert "music −100.00 points beside the baseline" in seen.sentence
    assert check(report, report)[0].answer == "pass"
    task = before.task.model_copy(update={"labels": sample.LABELS[::-1]})
    assert check(report, before.model_copy(update={"task": task}))[0].answer == "pass"


def test_lengths_are_parted_at_edges_or_into_four():
    report = BASE.model_copy(update={"lengths": pack(row % 40 + 3 for row in range(ROWS))})
    parts = slices.parting(report, "length", (8, 20))
    assert parts.names == ("up to 7 tokens", "8 to 19 tokens", "from 20 tokens")
    assert [parts.places.count(place) for place in range(3)] == [100, 240, 460]
    assert slices.parting(report, "length", (8, 9, 20)).names[1:3] == ("8 tokens", "9 to 19 tokens")
    four = slices.parting(report, "length")
    assert [four.places.count(place) for place in range(4)] == [200] * 4
    same = slices.parting(BASE.model_copy(update={"lengths": pack([7] * ROWS)}), "length")
    assert (same.names, set(same.places)) == (("from 0 tokens",), {0})
    assert slices.slicings(report) == ("label", "length")
    assert check(answered([], report), by="length")[0].answer == "pass"


@pytest.mark.parametrize("by", ["length", "source"])
def test_what_the_report_does_not_say_of_its_rows_is_not_comparable(by):
    seen, verdict = check(BASE, by=by)
    assert verdict.exit_code == 3
    assert seen.sentence == (
        f"tiny onnxruntime-int8 cannot be judged by {by}: the report does not say it of its rows. It has: label."
    )


def test_every_slice_is_there_for_a_page():
    report = answered(of_label(3)[:10])
    found = slices.compare(report, report.variant(*TINY), report.reference, slices.parting(report, "label"))
    assert tuple(part.name for part in found) == sample.LABELS
    assert {part.name for part in found if part.cells.difference} == {"music"}
    assert sum(part.cells.rows for part in found) == ROWS


def test_many_slices_raise_no_more_false_alarms_than_one():
    """Where nothing changed, each of 40 slices loses 5 rows of 5 that differ once in 32 times."""
    values = tuple(f"part {number}" for number in range(40))
    column = Column(values=values, rows=pack(row % 40 for row in range(ROWS)))
    report = BASE.model_copy(update={"columns": {"source": column}})
    lost = range(0, 5 * 40, 40)  # the first five rows of the first part
    assert check(answered(lost, report), by="source", max_drop=0.01)[0].answer == "not comparable"
    assert check(answered(range(0, 15 * 40, 40), report), by="source", max_drop=0.01)[0].answer == "fail"
