"""The exact interval of a share of rows."""


def share_interval(count: int, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Where the share lies of which so many of so many rows were seen.

    Shapes: counts -> (low, high)
    Units:  shares; `level` is that of both sides together
    Zero:   the low end when no row was seen
    Source: Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404
    """
    from scipy.special import betaincinv  # numpy is slow to import, and most gates ask nothing of it

    tail = (1 - level) / 2
    low = float(betaincinv(count, rows - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, rows - count, 1 - tail)) if count < rows else 1.0
    return low, high
