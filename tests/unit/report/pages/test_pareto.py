import sample
from hypothesis import given
from hypothesis import strategies as st

from compress.report.pages import pareto

REPORT = sample.record(rows=60)
POINTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=10)


def report(points):
    """A report of these medians and scores."""
    variants = []
    for number, (ms, score) in enumerate(points):
        cell = sample.cell(1, 16, float(ms), 8.0)
        changes = {"model": f"m{number}", "latency": (cell,), "metrics": {"accuracy": score / 10}}
        variants.append(REPORT.variants[0].model_copy(update=changes))
    return REPORT.model_copy(update={"variants": tuple(variants)})


@given(POINTS)
def test_on_the_line_is_what_nothing_beats(points):
    on_it = {variant.model for variant in pareto.frontier(report(points), 1, 16)}
    for number, (ms, score) in enumerate(points):
        beaten = any(other[0] <= ms and other[1] >= score and other != (ms, score) for other in points)
        assert (f"m{number}" in on_it) is not beaten


@given(POINTS)
def test_the_line_rises_from_the_fastest(points):
    line = [(one.latency[0].p50_ms, one.metrics["accuracy"]) for one in pareto.frontier(report(points), 1, 16)]
    assert line == sorted(line)
    assert [score for _, score in line] == sorted(score for _, score in line)


def test_what_was_not_timed_is_not_on_it():
    bare = REPORT.variants[0].model_copy(update={"latency": ()})
    assert pareto.frontier(REPORT.model_copy(update={"variants": (bare,)}), 1, 16) == ()
    assert pareto.sentence(REPORT.model_copy(update={"variants": (bare,)})) == ""
