import graphs
import numpy
import pytest
import tiny

from compress.encoders.graph import read_graph
from compress.quantization._ranges import BINS, METHODS, Seen, largest
from compress.quantization.static_qdq import weighted_products


def seen(values, batches=4):
    """What a few batches of values come to."""
    low, high = float(values.min()), float(values.max())
    parts = numpy.array_split(values, batches)
    return Seen(
        low,
        high,
        float(numpy.mean([part.min() for part in parts])),
        float(numpy.mean([part.max() for part in parts])),
        numpy.histogram(values, BINS, (low, high))[0],
    )


VALUES = numpy.random.default_rng(0).normal(size=2_000_000)
OUTLIERS = numpy.concatenate([VALUES, [60.0]])


def error(values, span):
    """The mean squared error of 256 steps over a range."""
    low, high = min(span[0], 0), max(span[1], 0)
    step = (high - low) / 255
    back = low + step * numpy.clip(numpy.rint((values - low) / step), 0, 255)
    return float(((values - back) ** 2).mean())


def test_minmax_takes_in_everything():
    assert METHODS["minmax"](seen(OUTLIERS)) == (OUTLIERS.min(), 60)


def test_average_is_the_mean_of_the_extremes_of_the_batches():
    low, high = METHODS["average"](seen(OUTLIERS))
    assert VALUES.min() < low < -3
    assert 15 < high < 20  # one batch of four reaches 60


def test_percentile_leaves_half_of_one_value_in_ten_thousand_out_at_either_end():
    low, high = METHODS["percentile"](seen(VALUES))
    assert (low > VALUES).mean() == pytest.approx(5e-5, abs=2e-5)
    assert (high < VALUES).mean() == pytest.approx(5e-5, abs=2e-5)


@pytest.mark.parametrize("method", ["mse", "entropy"])
def test_one_outlier_does_not_cost_all_others_their_resolution(method):
    low, high = METHODS[method](seen(OUTLIERS))
    assert high < 20
    assert error(VALUES, (low, high)) < error(VALUES, (OUTLIERS.min(), 60)) / 4


def test_mse_has_the_least_squared_error_of_all():
    errors = {name: error(OUTLIERS, METHODS[name](seen(OUTLIERS))) for name in METHODS}
    assert errors["mse"] <= 1.001 * min(errors.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 2.5, -1.0])
def test_a_value_that_never_changes_has_a_range(method, value):
    low, high = METHODS[method](seen(numpy.full(100, value)))
    assert numpy.isfinite([low, high]).all()
    assert min(low, 0) - 1e-6 <= value <= max(high, 0) + 1e-6 or abs(value) > abs(low)


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_padding_is_no_data(family):
    model = read_graph(graphs.graph(family))
    names = {node.input[0] for node in weighted_products(model)}
    rows = graphs.feeds(family, rows=8, length=8)
    assert not rows["attention_mask"].all()
    other = {**rows, "input_ids": numpy.where(rows["attention_mask"] == 1, rows["input_ids"], 7)}
    one, two = (largest(model, names, lambda feed=feed: [feed]) for feed in (rows, other))
    for name in names:
        numpy.testing.assert_allclose(one[name], two[name], atol=1e-5)
