"""Every metric is 1 for right answers, lower for wrong ones, and asks for one answer a row."""

import inspect

import numpy as np
import pytest

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
