"""Many tests at once."""

from collections.abc import Sequence


def holm(probabilities: Sequence[float]) -> list[float]:
    """The p-values of many tests, raised so that the chance of any false alarm among all is that of a single test.

    Shapes: (tests,) -> (tests,)
    Units:  probability
    Zero:   where a p-value is zero
    Source: Holm 1979, Scandinavian Journal of Statistics 6, A simple sequentially rejective multiple test procedure
    """
    raised, least = [0.0] * len(probabilities), 0.0
    for rank, index in enumerate(sorted(range(len(probabilities)), key=lambda test: probabilities[test])):
        least = max(least, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        raised[index] = least
    return raised
