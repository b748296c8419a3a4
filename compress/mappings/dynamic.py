"""The nearest layers, in order."""

from compress.errors import InputError
from compress.mappings import Matrix, mapping


@mapping(reads="costs")
def dynamic(costs: Matrix) -> tuple[tuple[float, ...], ...]:
    """Each student layer learns from the teacher layer nearest to it, so that all together cost least, in order.

    The teacher layers rise at each step, or never fall if the student has more layers. Exact, by dynamic programming;
    of equal choices the lower layers are taken.

    Shapes: costs (student layers, teacher layers) -> weights of the same shape: one 1 a row
    Units:  costs as the loss has them; weights are shares
    Zero:   0 where a student layer does not learn from a teacher layer
    Source: Xia et al. 2022 (CoFi), arXiv:2204.00408, section 3.2 (a layer mapping that follows the student)
    Raises: InputError if a model has no layer
    """
    if not costs or not costs[0]:
        raise InputError(f"dynamic mapping of {len(costs)} to 0 layers: each needs at least 1.")
    student_layers, teacher_layers = len(costs), len(costs[0])
    step = 1 if student_layers <= teacher_layers else 0
    # best[t]: what the layers so far cost if the last of them takes teacher layer t; chosen: the layers they take.
    best, paths = list(costs[0]), [[layer] for layer in range(teacher_layers)]
    for row in costs[1:]:
        totals, longer, nearest = [float("inf")] * teacher_layers, list(paths), -1
        for layer in range(step, teacher_layers):
            if nearest < 0 or best[layer - step] < best[nearest]:
                nearest = layer - step
            totals[layer] = best[nearest] + row[layer]
            longer[layer] = [*paths[nearest], layer]
        best, paths = totals, longer
    path = paths[min(range(teacher_layers), key=lambda layer: (best[layer], layer))]
    return tuple(tuple(float(layer == taken) for layer in range(teacher_layers)) for taken in path)
