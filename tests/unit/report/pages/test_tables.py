import pytest
import sample

from compress.config.settings import AccuracyGate, Gate, LatencyGate, SizeGate
from compress.report import goal
from compress.report.gate.verdict import judge
from compress.report.pages import tables
from compress.report.structure import Layer, Removed, Structure, Target, Vocabulary, Width

REPORT = sample.record(rows=200)


def cells(table):
    return [dict(zip([column.text for column in table.columns], row, strict=True)) for row in table.rows]


@pytest.mark.parametrize(
    "table",
    [
        tables.variants(REPORT),
        tables.latency(REPORT),
        tables.answers(REPORT),
        tables.stages(REPORT),
        tables.confusions(REPORT, "tiny"),
        tables.structure(REPORT.structures["small"]),
        tables.checks(REPORT, judge(REPORT, REPORT.gate)),
    ],
)
def test_every_row_is_as_wide_as_the_head(table):
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert all(
        isinstance(cell, str) and (cell or column.text == "notes")
        for row in table.rows
        for cell, column in zip(row, table.columns, strict=True)
    )


def test_a_variant_is_compared_with_the_teacher_in_pytorch():
    row = cells(tables.variants(REPORT))[9]
    assert (row["model"], row["runtime"]) == ("tiny", "ONNX Runtime INT8")
    assert (row["size"], row["smaller"], row["peak memory"]) == ("4.56 MB", "19.9×", "83.0 MB")
    assert (row["p50 at 1 × 16"], row["p95"], row["speed-up"]) == ("0.290 ms", "0.322 ms", "29.3×")


def test_what_was_not_measured_is_a_dash():
    bare = REPORT.variants[9].model_copy(
        update={"latency": (), "same_rows": None, "peak_memory_bytes": None, "metrics": {}, "parity": None}
    )
    report = REPORT.model_copy(update={"variants": (bare,)})
    (row,) = tables.variants(report).rows
    assert row[3:] == ("–",) * 7
    assert tables.latency(report).rows == (("tiny", "ONNX Runtime INT8"),)
    (card,) = tables.cards(report, judge(report, Gate()))
    assert [what for _, what in card.numbers] == ["file"]


def test_what_was_cut_stands_beside_what_was_asked():
    small, tiny = REPORT.structures["small"], REPORT.structures["tiny"]
    assert tables.removed(small) == "Heads: 13.89 % removed (14.00 % asked). Neurons: 27.69 % removed (28.00 % asked)."
    assert tables.removed(tiny) == ""  # an older report
    heads = {"heads": Removed(asked=0.5, removed=0.5), "neurons": Removed(asked=0, removed=0)}
    assert tables.removed(tiny.model_copy(update={"shares": heads})) == "Heads: 50.00 % removed (50.00 % asked)."
    left = Vocabulary(before=30522, after=8000, train=0.9579, validation=0.9351)
    whole = Structure(layers=(Layer(heads=4, neurons=64),), of=Layer(heads=4, neurons=64), vocabulary=left)
    assert whole.cut
    assert not whole.model_copy(update={"vocabulary": None}).cut
    assert tables.removed(whole) == (
        "Tokens: 8\u202f000 of 30\u202f522 kept; 95.79 % of the training rows' tokens and 93.51 % of the validation rows' "
        "are whole, the others spelled in pieces."
    )
    widths = {"hidden": Width(before=384, after=160), "embedding_rank": Width(before=384, after=64)}
    narrow = tiny.model_copy(update={"widths": widths})
    assert narrow.cut
    assert tables.removed(narrow) == "Hidden dimensions: 160 of 384. Rank of the word embeddings: 64 of 384."


def target(**changes):
    return Target(
        **{
            "kind": "speedup",
            "asked": 2,
            "reached": 2.04,
            "on": "onnxruntime-int8",
            "batch": 1,
            "sequence": 32,
            "threads": 1,
            "rounds": 2,
            **changes,
        }
    )


def test_a_target_is_told_with_what_was_reached():
    shares = {"heads": Removed(asked=None, removed=0.25)}
    cut = REPORT.structures["tiny"].model_copy(update={"target": target(), "shares": shares})
    assert tables.removed(cut) == (
        "Speed-up by the cut: 2.04× (2.00× asked), on onnxruntime-int8, at 1 × 32, 1 thread. Heads: 25.00 % removed."
    )
    size = target(kind="size_mb", asked=4.5, reached=4.49, batch=None, sequence=None, threads=None)
    assert goal.sentence(size) == "Size after the cut: 4.49 MB (4.50 MB asked), on onnxruntime-int8."
    flops = target(kind="flops", asked=0.5, reached=0.3, on=None, batch=None, sequence=13, threads=None)
    assert goal.sentence(flops) == "FLOPs of the encoder kept: 30.00 % (50.00 % asked), at 13 tokens. That misses it."


def test_a_line_a_student_tells_what_is_left_of_each_layer():
    small, tiny = tables.cuts(REPORT)
    assert tiny == "tiny: heads/neurons left by layer 3/600, 2/416, 3/392, 4/512 of 4/768."
    assert small.endswith(
        "of 12/1536. Heads: 13.89 % removed (14.00 % asked). Neurons: 27.69 % removed (28.00 % asked)."
    )


def test_a_target_that_is_missed_is_noted_beside_the_verdict():
    for reached, noted in ((1.81, 0), (2.19, 0), (1.79, 1), (2.21, 1)):
        cut = REPORT.structures["tiny"].model_copy(update={"target": target(reached=reached)})
        report = REPORT.model_copy(update={"structures": {"tiny": cut}})
        notes = [note for note in judge(report, Gate()).notes if "misses it" in note]
        assert len(notes) == noted, reached


def test_each_thing_asked_is_a_column_with_its_limit():
    gate = Gate(
        accuracy=AccuracyGate(keep=0.9), size=SizeGate(max_mb=5), latency=LatencyGate(p95_ms=3, on="onnxruntime-int8")
    )
    table = tables.checks(REPORT, judge(REPORT, gate))
    assert [column.text for column in table.columns] == [
        "model",
        "export",
        "accuracy kept ≥ 90.00 %",
        "p95 ≤ 3.00 ms",
        "size ≤ 5.00 MB",
    ]
    assert [row[3] for row in table.rows] == ["–", "–", "0.699 ms ✓", "–", "–", "0.322 ms ✓"]
    assert [row[4] for row in table.rows][-2:] == ["8.83 MB ✗", "4.56 MB ✓"]


def test_a_comparison_with_a_baseline_has_its_columns():
    table = tables.checks(REPORT, judge(REPORT, Gate(), REPORT))
    assert [column.text for column in table.columns][2:] == [
        "drop since baseline ≤ 0.0100",
        "p50 to baseline ≤ 1.25×",
        "size to baseline ≤ 1.02×",
    ]
    assert table.rows[0][2:] == ("+0.0000 ✓", "1.00× ✓", "1.00× ✓")


def test_a_card_shows_the_fastest_export_that_holds():
    gate = Gate(accuracy=AccuracyGate(keep=0.97))
    report = sample.record(rows=600)
    small, tiny = tables.cards(report, judge(report, gate))
    assert (small.student, small.export) == ("small", "ONNX Runtime INT8")
    assert (tiny.student, tiny.export) == ("tiny", "ONNX Runtime FP32")  # INT8 keeps too little
    assert tiny.numbers[1:] == (("12.0×", "as fast"), ("5.15×", "smaller"), ("17.6 MB", "file"))
    hopeless = Gate(accuracy=AccuracyGate(keep=1))
    assert tables.cards(report, judge(report, hopeless))[1].export == "ONNX Runtime INT8"


def test_confusions_are_counted_and_the_worst_come_first():
    table = tables.confusions(sample.record(rows=600), "tiny", most=3)
    assert [column.text for column in table.columns][:4] == ["is", "taken for", "rows", "teacher"]
    assert table.rows[0] == ("shopping", "timer", "68", "2", "8", "6", "7", "4")
    assert len(table.rows) == 3
    perfect = REPORT.model_copy(
        update={"variants": tuple(v.model_copy(update={"predictions": REPORT.gold}) for v in REPORT.variants)}
    )
    assert tables.confusions(perfect, "tiny").rows == ()


def test_a_number_says_where_it_comes_from():
    facts = dict(tables.origin(REPORT))
    assert facts["machine class"] == "x86_64/AMD EPYC 7R13/2c/avx2"
    assert facts["timing"] == "1 thread, 30 interleaved rounds, 150 calls a number"
    assert facts["test rows"] == "200, SHA-256 333333333333"
    assert facts["command"] == "compress run pipeline.yaml"
    hub = REPORT.data.test.model_copy(update={"sha256": "org/set@main/test"})
    other = REPORT.model_copy(update={"data": REPORT.data.model_copy(update={"test": hub})})
    assert dict(tables.origin(other))["test rows"] == "200, org/set@main/test"


def test_unlabelled_rows_are_told_of_where_there_are_some():
    def names(report):
        return [name for name, _ in tables.origin(report)]

    assert "unlabelled rows" not in names(REPORT)
    more = REPORT.data.model_copy(update={"unlabelled": REPORT.data.train})
    assert "unlabelled rows" in names(REPORT.model_copy(update={"data": more}))
