"""F1, every class alike."""

from compress.metrics._checked import Classes, pair


def f1_macro(predictions: Classes, labels: Classes) -> float:
    """The mean over classes of F1, the harmonic mean of precision and recall; a class never predicted counts 0.

    The classes are those that occur among the labels or the predictions.

    Shapes: predictions (n,), labels (n,) -> a number
    Units:  share, from 0 to 1
    Zero:   when no prediction is right
    Source: Sokolova and Lapalme 2009, doi:10.1016/j.ipm.2009.03.002, table 3
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    from sklearn.metrics import f1_score  # slow to import, and `compress check` only asks for the name

    found, right = pair("f1_macro", predictions, labels)
    return float(f1_score(right, found, average="macro", zero_division=0.0))
