import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import CompressError, ShapeMismatch
from compress.statistics.calibration_error import BINS, calibration_error


def logits(confidence: numpy.ndarray) -> numpy.ndarray:
    """Of two classes, the first with this probability."""
    return numpy.log(numpy.stack([confidence, 1 - confidence], axis=-1))


def brute(scores: numpy.ndarray, labels: numpy.ndarray) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(scores, labels, strict=True):
        probabilities = numpy.exp(row) / numpy.exp(row).sum()
        top = max(probabilities)
        place = next(number for number in range(1, BINS + 1) if top <= number / BINS)
        bins.setdefault(place, []).append((top, int(probabilities.argmax()) == label))
    gaps = (abs(sum(top for top, _ in rows) - sum(right for _, right in rows)) for rows in bins.values())
    return sum(gaps) / len(labels)


@given(st.integers(1, 60), st.integers(2, 5), st.integers(0, 1000))
def test_it_is_the_sum_over_bins(rows: int, classes: int, seed: int) -> None:
    generator = numpy.random.default_rng(seed)
    scores, labels = generator.normal(0, 2, (rows, classes)), generator.integers(0, classes, rows)
    found = calibration_error(scores, labels, seed=0)
    assert found.value == pytest.approx(brute(scores, labels))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_known_values() -> None:
    surest = logits(numpy.full(10, 0.8))
    right = numpy.array([0] * 8 + [1] * 2)
    assert calibration_error(surest, right, seed=0).value == pytest.approx(0)
    assert calibration_error(surest, numpy.ones(10, int), seed=0).value == pytest.approx(0.8)
    assert calibration_error(surest, numpy.zeros(10, int), seed=0).value == pytest.approx(0.2)
    # Too sure in one bin and too unsure in another: that does not cancel out.
    mixed = logits(numpy.array([0.7] * 10 + [0.9] * 10))
    assert calibration_error(mixed, numpy.array([0] * 9 + [1] + [0] * 7 + [1] * 3), seed=0).value == pytest.approx(0.2)


def test_a_probability_on_an_edge_counts_below_it() -> None:
    # 0.6 = 9/15 ends the bin that 0.58 is in, so that the two gaps cancel out.
    scores, labels = logits(numpy.array([0.6, 0.58])), numpy.array([0, 1])
    assert calibration_error(scores, labels, seed=0).value == pytest.approx((0.58 - 0.4) / 2)


def test_the_seed_alone_draws() -> None:
    generator = numpy.random.default_rng(0)
    scores, labels = generator.normal(0, 2, (300, 3)), generator.integers(0, 3, 300)
    found = calibration_error(scores, labels, seed=1)
    assert calibration_error(scores, labels, seed=1) == found
    assert calibration_error(scores, labels, seed=2) != found
    assert found.low < found.value < found.high


def test_the_interval_takes_off_what_few_rows_add() -> None:
    """By 3 points too sure on 300 rows: the number itself is mostly too large, the interval seldom off."""
    generator, above, off = numpy.random.default_rng(0), 0, 0
    for _ in range(100):
        confidence = 0.55 + 0.4 * generator.beta(3, 1, 300)
        labels = (generator.random(300) > confidence - 0.03).astype(int)
        found = calibration_error(logits(confidence), labels, seed=0)
        above += found.value > 0.03
        off += not found.low <= 0.03 <= found.high
    assert above > 80
    assert off < 15


def test_a_model_that_fits_is_seldom_shown_not_to() -> None:
    """Four classes, 50 rows: the number itself is 15 points, by chance alone."""
    generator, numbers, off = numpy.random.default_rng(0), [], 0
    for _ in range(100):
        scores = generator.normal(0, 2, (50, 4))
        likely = numpy.exp(scores) / numpy.exp(scores).sum(1, keepdims=True)
        labels = (generator.random((50, 1)) > likely.cumsum(1)).sum(1).clip(0, 3)
        found = calibration_error(scores, labels, seed=0)
        numbers.append(found.value)
        off += found.low > 0.02
    assert numpy.mean(numbers) > 0.1
    assert off <= 5


def test_few_rows_that_are_all_right_prove_no_fit() -> None:
    # 40 of 40 right leave an accuracy of 91.2 % open: with it, they come in one of 40 sessions.
    found = calibration_error(logits(numpy.full(40, 0.99)), numpy.zeros(40, int), seed=0)
    assert found.value == pytest.approx(0.01)
    assert found.high == pytest.approx(0.99 - 0.025 ** (1 / 40))
    assert found.low == 0  # a model that is right in 99 of 100 rows is right in 40 of 40 twice in three times
    many = calibration_error(logits(numpy.full(4000, 0.99)), numpy.zeros(4000, int), seed=0)
    assert many.high < 0.011


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ShapeMismatch):
        calibration_error(numpy.zeros((3, 2)), numpy.zeros(2, int), seed=0)
    with pytest.raises(CompressError, match="no rows"):
        calibration_error(numpy.zeros((0, 2)), numpy.zeros(0, int), seed=0)
