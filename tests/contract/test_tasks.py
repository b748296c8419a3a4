"""Every task is in the schema, and its answers fit the metrics that it allows."""

import numpy as np
import pytest
from scipy.special import softmax

from compress.config.schema import pipeline_schema
from compress.registry import METRICS, TASKS


def test_the_schema_knows_the_tasks():
    assert pipeline_schema()["$defs"]["Task"]["properties"]["type"]["enum"] == TASKS.names()


@pytest.mark.parametrize("name", TASKS.names())
def test_answers_are_judged_by_every_metric_it_allows(name):
    task = TASKS.load(name)
    logits = np.array([[0.1, 2.0, -1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    answers = task.predict(logits)
    assert answers.tolist() == [1, 0, 2]
    assert "accuracy" in task.metrics
    for metric in task.metrics:
        assert METRICS.load(metric)(answers, [1, 0, 2]) == pytest.approx(1)


@pytest.mark.parametrize("name", [name for name in TASKS.names() if TASKS.load(name).probabilities])
def test_where_logits_are_probabilities_the_answer_is_the_likeliest_class(name):
    logits = np.random.default_rng(0).normal(size=(20, 5))
    assert TASKS.load(name).predict(logits).tolist() == softmax(logits, -1).argmax(-1).tolist()
