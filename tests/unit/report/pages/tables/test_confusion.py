import sample

from compress.report.packing import pack, unpack
from compress.report.pages.tables import confusion

REPORT = sample.record(rows=200)


def test_confusions_are_counted_and_the_worst_come_first():
    table = confusion.pairs(sample.record(rows=600), "tiny", most=3)
    assert [column.text for column in table.columns][:4] == ["is", "taken for", "rows", "teacher"]
    assert table.rows[0] == ("shopping", "timer", "68", "2", "4", "3", "3", "7")
    assert len(table.rows) == 3
    perfect = REPORT.model_copy(
        update={"variants": tuple(v.model_copy(update={"predictions": REPORT.gold}) for v in REPORT.variants)}
    )
    assert confusion.pairs(perfect, "tiny").rows == ()


def report(pairs, labels):
    """A report of the teacher alone whose rows are, and are taken for, the labels of these pairs."""
    gold, answers = zip(*pairs, strict=True)
    base = sample.record(rows=len(pairs))
    task = base.task.model_copy(update={"labels": tuple(f"label {number}" for number in range(labels))})
    teacher = base.variants[0].model_copy(update={"predictions": pack(answers)})
    return base.model_copy(update={"task": task, "gold": pack(gold), "variants": (teacher,)})


def test_a_matrix_counts_every_row_once():
    found = confusion.matrix(REPORT, REPORT.variants[-1])
    gold, seen = unpack(REPORT.gold), unpack(REPORT.variants[-1].predictions)
    assert found.labels == sample.LABELS
    assert sum(cell.rows for _, _, cells, _ in found.rows for cell in cells) == 200
    for is_, (_, total, cells, others) in enumerate(found.rows):
        assert total == gold.count(is_)
        assert others == 0
        assert [cell.rows for cell in cells] == [
            sum((one, other) == (is_, to) for one, other in zip(gold, seen, strict=True)) for to in range(8)
        ]
        assert [cell.right for cell in cells] == [to == is_ for to in range(8)]


def test_the_shade_grows_with_the_rows_and_the_worst_pair_is_the_darkest():
    made = report([(0, 1)] * 8 + [(1, 2)] * 4 + [(2, 0)] + [(2, 2)] * 50, 3)
    shades = [[cell.shade for cell in cells] for _, _, cells, _ in confusion.matrix(made, made.variants[0]).rows]
    assert shades == [[0, 4, 0], [0, 0, 2], [1, 0, 4]]


def test_of_many_labels_those_that_are_confused_most_often_are_shown():
    pairs = [(n, n) for n in range(30)] + [(3, 7)] * 5 + [(9, 3)] * 2 + [(11, 12)]
    made = report(pairs, 30)
    found = confusion.matrix(made, made.variants[0], part=3)
    assert found.of == 30
    assert found.labels == ("label 3", "label 7", "label 9")
    assert [others for *_, others in found.rows] == [0, 0, 0]
    two = confusion.matrix(made, made.variants[0], part=2)
    assert [(name, total, others) for name, total, _, others in two.rows] == [("label 3", 6, 0), ("label 7", 1, 0)]
    right = report([(n, n) for n in range(30)], 30)
    assert len(confusion.matrix(right, right.variants[0], part=3).labels) == 3
