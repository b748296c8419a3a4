import pytest

from compress.metrics.accuracy import accuracy
from compress.metrics.f1_macro import f1_macro
from compress.metrics.mcc import mcc


def test_values_by_hand():
    predictions, labels = [1, 1, 0, 1], [1, 0, 0, 1]
    assert accuracy(predictions, labels) == 0.75
    assert f1_macro(predictions, labels) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert mcc(predictions, labels) == pytest.approx(2 / 12**0.5)


def test_f1_macro_counts_a_class_never_predicted():
    assert f1_macro([0, 0, 0], [0, 0, 1]) == pytest.approx(0.8 / 2)


def test_mcc_is_negative_for_answers_turned_round():
    assert mcc([1, 0, 1, 0], [0, 1, 0, 1]) == -1
