"""Correlation of answers and labels."""

import numpy as np

from compress.metrics._checked import Classes, Score, Weights, counts, given, pair


def mcc(predictions: Classes, labels: Classes, weights: Weights = None) -> Score:
    """Matthews' correlation of the predicted classes with the right ones, for any number of classes.

    Shapes: predictions (n,), labels (n,) -> a number; with weights (draws, n) -> (draws,)
    Units:  correlation, from -1 to 1
    Zero:   when the predictions say nothing about the labels, or one of both has a single class
    Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, section 2; Matthews 1975
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    said, real, both = (sums.astype(float) for sums in counts(*pair("mcc", predictions, labels), weights))
    rows = real.sum(axis=1)
    beyond_chance = both.sum(axis=1) * rows - (said * real).sum(axis=1)
    most = (rows**2 - (said**2).sum(axis=1)) * (rows**2 - (real**2).sum(axis=1))
    return given(beyond_chance / np.sqrt(np.where(most > 0, most, np.inf)), weights)
