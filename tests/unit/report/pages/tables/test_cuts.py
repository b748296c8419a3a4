import sample

from compress.config.settings import Gate
from compress.report import goal
from compress.report.gate.verdict import judge
from compress.report.pages.tables import cuts
from compress.report.structure import Layer, Removed, Structure, Target, Vocabulary, Width

REPORT = sample.record(rows=200)


def test_what_was_cut_stands_beside_what_was_asked():
    small, tiny = REPORT.structures["small"], REPORT.structures["tiny"]
    assert cuts.removed(small) == "Heads: 13.89 % removed (14.00 % asked). Neurons: 27.69 % removed (28.00 % asked)."
    assert cuts.removed(tiny) == ""  # an older report
    heads = {"heads": Removed(asked=0.5, removed=0.5), "neurons": Removed(asked=0, removed=0)}
    assert cuts.removed(tiny.model_copy(update={"shares": heads})) == "Heads: 50.00 % removed (50.00 % asked)."
    left = Vocabulary(before=30522, after=8000, train=0.9579, validation=0.9351)
    whole = Structure(layers=(Layer(heads=4, neurons=64),), of=Layer(heads=4, neurons=64), vocabulary=left)
    assert whole.cut
    assert not whole.model_copy(update={"vocabulary": None}).cut
    assert cuts.removed(whole) == (
        "Tokens: 8\u202f000 of 30\u202f522 kept; 95.79 % of the training rows' tokens and 93.51 % of the validation rows' "
        "are whole, the others spelled in pieces."
    )
    widths = {"hidden": Width(before=384, after=160), "embedding_rank": Width(before=384, after=64)}
    narrow = tiny.model_copy(update={"widths": widths})
    assert narrow.cut
    assert cuts.removed(narrow) == "Hidden dimensions: 160 of 384. Rank of the word embeddings: 64 of 384."


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
    assert cuts.removed(cut) == (
        "Speed-up by the cut: 2.04× (2.00× asked), on onnxruntime-int8, at 1 × 32, 1 thread. Heads: 25.00 % removed."
    )
    size = target(kind="size_mb", asked=4.5, reached=4.49, batch=None, sequence=None, threads=None)
    assert goal.sentence(size) == "Size after the cut: 4.49 MB (4.50 MB asked), on onnxruntime-int8."
    flops = target(kind="flops", asked=0.5, reached=0.3, on=None, batch=None, sequence=13, threads=None)
    assert goal.sentence(flops) == "FLOPs of the encoder kept: 30.00 % (50.00 % asked), at 13 tokens. That misses it."


def test_a_line_a_student_tells_what_is_left_of_each_layer():
    small, tiny = cuts.lines(REPORT)
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
