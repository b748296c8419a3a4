from functools import partial

import numpy as np
import pytest

from compress.metrics.accuracy import accuracy
from compress.metrics.f1_macro import f1_macro
from compress.metrics.mcc import mcc
from compress.statistics.bootstrap import bootstrap
from compress.statistics.evidence import Limit
from compress.statistics.paired import cells


def models(rows, lost, gained, classes=6, seed=0):
    """Labels, and the answers of a student and of another model that differ in these shares of the rows."""
    generator = np.random.default_rng(seed)
    gold = generator.integers(classes, size=rows)
    wrong = (gold + generator.integers(1, classes, size=rows)) % classes
    kind = generator.choice(4, size=rows, p=[0.9 - lost, gained, lost, 0.1 - gained])
    return gold, np.where(kind < 2, gold, wrong), np.where(kind % 2 == 0, gold, wrong)


@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.02), (0.05, 0.02), (0.0, 0.0)])
def test_of_the_accuracy_it_agrees_with_the_score_test(lost, gained):
    rows = models(2000, lost, gained)
    drawn, exact = bootstrap(accuracy, *rows), cells(*rows)
    assert (drawn.own, drawn.other) == pytest.approx((exact.own, exact.other))
    assert drawn.interval(0.95) == pytest.approx(exact.interval(0.95), abs=0.0015)
    assert drawn.ratio_interval(0.95) == pytest.approx(exact.ratio_interval(0.95), abs=0.0015)


@pytest.mark.parametrize("metric", [f1_macro, mcc])
@pytest.mark.parametrize(("lost", "answer"), [(0.02, "pass"), (0.045, "not comparable"), (0.1, "fail")])
def test_other_metrics_are_judged(metric, lost, answer):
    assert bootstrap(metric, *models(1500, lost, 0.02)).test(Limit(drop=0.025)).answer(0.95) == answer


@pytest.mark.parametrize("metric", [f1_macro, mcc])
def test_the_same_answers_to_few_rows_prove_nothing(metric):
    gold, student, _ = models(60, 0.02, 0.02)
    assert bootstrap(metric, gold, student, student).test(Limit(drop=0.01)).answer(0.95) == "not comparable"
    gold, student, _ = models(2000, 0.02, 0.02)
    assert bootstrap(metric, gold, student, student).test(Limit(drop=0.01)).answer(0.95) == "pass"


@pytest.mark.parametrize("metric", [f1_macro, mcc])
def test_the_order_of_the_rows_changes_nothing_and_neither_does_a_second_time(metric):
    rows = models(500, 0.04, 0.02)
    order = np.random.default_rng(1).permutation(500)
    first, again = bootstrap(metric, *rows), bootstrap(metric, *(answers[order] for answers in rows))
    assert np.array_equal(first.owns, again.owns)
    assert np.array_equal(first.others, again.others)


def test_a_metric_that_takes_no_weights_is_computed_draw_by_draw():
    rows = models(400, 0.05, 0.03)
    plain = bootstrap(partial(lambda found, right: f1_macro(found, right)), *rows)
    assert len(plain.owns) < len(bootstrap(f1_macro, *rows).owns)
    assert plain.interval(0.9) == pytest.approx(bootstrap(f1_macro, *rows).interval(0.9), abs=0.004)


def test_one_class_alone_is_judged_too():
    gold = np.zeros(50, dtype=int)
    assert bootstrap(f1_macro, gold, gold, gold).test(Limit(drop=0.01)).answer(0.95) == "not comparable"


def test_rows_needed_shrink_with_the_drop_and_grow_with_the_noise():
    seen, noisy = bootstrap(f1_macro, *models(2000, 0.01, 0.01)), bootstrap(f1_macro, *models(2000, 0.05, 0.05))
    assert seen.rows_needed(Limit(drop=0.05), 0.95) < seen.rows_needed(Limit(drop=0.02), 0.95)
    assert seen.rows_needed(Limit(drop=0.02), 0.95) < noisy.rows_needed(Limit(drop=0.02), 0.95)
    assert seen.rows_needed(Limit(), 0.95) is None
