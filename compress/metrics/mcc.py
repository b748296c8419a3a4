"""Correlation of answers and labels."""

import warnings

from compress.metrics._checked import Classes, pair


def mcc(predictions: Classes, labels: Classes) -> float:
    """Matthews' correlation of the predicted classes with the right ones, for any number of classes.

    Shapes: predictions (n,), labels (n,) -> a number
    Units:  correlation, from -1 to 1
    Zero:   when the predictions say nothing about the labels, or one of both has a single class
    Source: Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, section 2; Matthews 1975
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    from sklearn.metrics import matthews_corrcoef  # slow to import, and `compress check` only asks for the name

    found, right = pair("mcc", predictions, labels)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A single label was found")
        return float(matthews_corrcoef(right, found))
