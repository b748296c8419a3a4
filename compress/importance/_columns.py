"""The check that the scores of output columns share."""

from torch import Tensor

from compress.errors import CompressError


def check(name: str, columns: Tensor, moments: Tensor) -> None:
    """Raises: CompressError if the columns are not (units, size, out) or the moments not those of their inputs."""
    inputs = columns.shape[0] * columns.shape[1] if columns.ndim == 3 else -1
    if tuple(moments.shape) != (inputs, inputs):
        raise CompressError(
            f"{name}: columns of shape {tuple(columns.shape)} with moments of shape {tuple(moments.shape)} "
            "are not (units, size, out) with (units * size, units * size)."
        )
