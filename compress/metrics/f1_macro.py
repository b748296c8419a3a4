"""F1, every class alike."""

import numpy as np

from compress.metrics._checked import Classes, Score, Weights, counts, given, pair


def f1_macro(predictions: Classes, labels: Classes, weights: Weights = None) -> Score:
    """The mean over classes of F1, the harmonic mean of precision and recall; a class never predicted counts 0.

    The classes are those that occur among the labels or the predictions.

    Shapes: predictions (n,), labels (n,) -> a number; with weights (draws, n) -> (draws,)
    Units:  share, from 0 to 1
    Zero:   when no prediction is right
    Source: Sokolova and Lapalme 2009, doi:10.1016/j.ipm.2009.03.002, table 3
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    said, real, both = counts(*pair("f1_macro", predictions, labels), weights)
    either = said + real
    scores = 2 * both / np.where(either, either, 1)
    return given(scores.sum(axis=1) / (either > 0).sum(axis=1), weights)
