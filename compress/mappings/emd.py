"""The earth mover's distance over layers."""

import math

from compress.errors import InputError
from compress.mappings import Matrix, mapping


@mapping(reads="costs")
def emd(costs: Matrix) -> tuple[tuple[float, ...], ...]:
    """Every student layer learns from every teacher layer by its share in the cheapest transport between all of them.

    All layers of a model weigh the same: what a student layer takes from all teacher layers sums to 1, what each
    teacher layer gives to (student layers / teacher layers). Exact: layers are split into equal parcels, and parcels
    assigned one to one.

    Shapes: costs (student layers, teacher layers) -> weights of the same shape: a row sums to 1
    Units:  costs as the loss has them; weights are shares
    Zero:   0 where nothing is moved
    Source: Li et al. 2020 (BERT-EMD), arXiv:2010.06133, section 3.2, with its first, equal weights kept
    Raises: InputError if a model has no layer
    """
    import numpy as np  # here, because a pipeline's mappings are loaded when it is checked
    from scipy.optimize import linear_sum_assignment

    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise InputError(f"emd mapping of {len(costs)} to 0 layers: each needs at least 1.")
    student_layers, teacher_layers = table.shape
    parcels = math.lcm(student_layers, teacher_layers)
    taken, given = parcels // student_layers, parcels // teacher_layers
    rows, columns = linear_sum_assignment(table.repeat(taken, axis=0).repeat(given, axis=1))
    weights = np.zeros_like(table)
    np.add.at(weights, (rows // taken, columns // given), 1 / taken)
    return tuple(map(tuple, weights.tolist()))
