"""Share of right answers."""

from compress.metrics._checked import Classes, pair


def accuracy(predictions: Classes, labels: Classes) -> float:
    """The share of rows whose predicted class is the right one.

    Shapes: predictions (n,), labels (n,) -> a number
    Units:  share, from 0 to 1
    Zero:   when no prediction is right
    Source: Wang et al. 2018 (GLUE), arXiv:1804.07461, section 3
    Raises: ShapeMismatch if the lengths differ; CompressError if there are no rows
    """
    from sklearn.metrics import accuracy_score  # slow to import, and `compress check` only asks for the name

    found, right = pair("accuracy", predictions, labels)
    return float(accuracy_score(right, found))
