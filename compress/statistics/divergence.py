"""How far a student's probabilities lie from its teacher's."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from compress.errors import CompressError, ShapeMismatch
from compress.statistics.estimate import Estimate
from compress.statistics.mean import mean

_ROWS = 65_536
"""Rows at once, so that many classes spare memory."""


def divergence(student: NDArray[np.floating], teacher: NDArray[np.floating]) -> Estimate:
    """KL(teacher || student) of the probabilities that both give a row, its mean over the rows and its 95 % interval.

    Shapes: logits: student (n, classes), teacher (n, classes) -> a number with its interval, see `mean`
    Units:  nats
    Zero:   when student == teacher, up to a constant in each row
    Source: Kullback and Leibler 1951, doi:10.1214/aoms/1177729694
    Raises: ShapeMismatch if the shapes differ; CompressError if there are no rows
    """
    if student.shape != teacher.shape:
        raise ShapeMismatch("divergence", student.shape, teacher.shape)
    if not len(teacher):
        raise CompressError("divergence: there are no rows.")
    starts = range(0, len(teacher), _ROWS)
    found = mean(
        np.concatenate([_rows(student[start : start + _ROWS], teacher[start : start + _ROWS]) for start in starts])
    )
    return found._replace(low=max(found.low, 0.0))


def _rows(student: NDArray[np.floating], teacher: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, classes) twice -> (n,)"""
    answers, targets = (log_softmax(np.asarray(logits, np.float64), axis=-1) for logits in (student, teacher))
    found: NDArray[np.float64] = (np.exp(targets) * (targets - answers)).sum(-1)
    return np.maximum(found, 0.0)  # rounding must not make a distance negative
