"""Every metric is 1 for right answers, lower for wrong ones, and asks for one answer a row."""

import inspect
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from compress.errors import CompressError, ShapeMismatch
from compress.registry import METRICS

LABELS = [0, 1, 2, 2, 1, 0, 0]


@pytest.mark.parametrize("name", METRICS.names())
def test_right_answers_score_one(name):
    value = METRICS.load(name)(LABELS, np.array(LABELS))
    assert isinstance(value, float)
    assert value == pytest.approx(1)


@pytest.mark.parametrize("name", METRICS.names())
def test_each_wrong_answer_costs(name):
    metric, answers, last = METRICS.load(name), list(LABELS), 1.0
    for row in range(3):
        answers[row] = (answers[row] + 1) % 3
        assert metric(answers, LABELS) < last
        last = metric(answers, LABELS)


@pytest.mark.parametrize("name", METRICS.names())
def test_one_class_alone_gives_a_number_and_no_warning(name):
    assert METRICS.load(name)([0, 0], [1, 1]) == 0
    assert np.isfinite(METRICS.load(name)([1, 1], [1, 1]))


@pytest.mark.parametrize("name", METRICS.names())
def test_other_lengths_and_no_rows_are_refused(name):
    with pytest.raises(ShapeMismatch, match=name):
        METRICS.load(name)([0, 1], [0, 1, 1])
    with pytest.raises(CompressError, match="no rows"):
        METRICS.load(name)([], [])


@pytest.mark.parametrize("name", METRICS.names())
def test_docstring_says_everything(name):
    for section in ("Shapes:", "Units:", "Zero:", "Source:", "Raises:"):
        assert section in inspect.getdoc(METRICS.load(name))


SKLEARN = {
    "accuracy": lambda found, right: accuracy_score(right, found),
    "f1_macro": lambda found, right: f1_score(right, found, average="macro", zero_division=0.0),
    "mcc": lambda found, right: matthews_corrcoef(right, found),
}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
@pytest.mark.parametrize("name", sorted(SKLEARN))
def test_values_are_scikit_learns_and_a_weight_counts_a_row_so_often(name, rows):
    found, right, times = (np.array(column) for column in zip(*rows, strict=True))
    metric = METRICS.load(name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A single label was found")
        assert metric(found, right) == pytest.approx(SKLEARN[name](found, right))
        if times.sum():
            drawn = metric(found, right, weights=np.stack([times, np.ones_like(times)]).astype(float))
            repeated = SKLEARN[name](found.repeat(times), right.repeat(times))
            assert drawn == pytest.approx([repeated, metric(found, right)])
