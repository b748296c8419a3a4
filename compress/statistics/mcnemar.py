"""The exact test of McNemar."""

from math import exp, lgamma, log


def mcnemar(gained: int, lost: int) -> float:
    """How likely no more rows than those gained would be gained, were losing and gaining as likely: small for a loss.

    Given are the rows that one model alone gets right, and those that the other alone does.

    Shapes: counts -> a number
    Units:  probability, one-sided
    Zero:   towards it, the more rows are lost and the fewer gained
    Source: McNemar 1947, doi:10.1007/BF02295996; the binomial distribution in the place of its chi-square
    """
    return _tail(gained, gained + lost) if gained < lost else 1 - _tail(lost - 1, gained + lost)


def _tail(most: int, rows: int) -> float:
    """The probability of no more than `most` of so many, each by even chance; fewer than half of them.

    SciPy has it, too, and would take longer to import than a gate to judge.
    """
    if most < 0:
        return 0.0
    term = exp(lgamma(rows + 1) - lgamma(most + 1) - lgamma(rows - most + 1) - rows * log(2))
    total = 0.0
    for count in range(most, -1, -1):
        total += term
        term *= count / (rows - count + 1)
        if term < 1e-17 * total:
            break
    return total
