"""Share of right answers."""

import numpy as np

from compress.metrics._checked import Classes, Score, Weights, given, pair


def accuracy(predictions: Classes, labels: Classes, weights: Weights = None) -> Score:
    """The share of rows whose predicted class is the right one.

    Shapes: predictions (n,), labels (n,) -> a number; with weights (draws, n) -> (draws,)
    Units:  share, from 0 to 1
    Zero:   when no prediction is right
    Source: Wang et al. 2018 (GLUE), arXiv:1804.07461, section 3
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    found, right = pair("accuracy", predictions, labels)
    counted = np.ones((1, len(right))) if weights is None else weights
    return given(counted @ (found == right) / counted.sum(axis=1), weights)
