"""The exact test of McNemar."""


def mcnemar(gained: int, lost: int) -> float:
    """How likely no more rows than those gained would be gained, were losing and gaining as likely: small for a loss.

    Given are the rows that one model alone gets right, and those that the other alone does.

    Shapes: counts -> a number
    Units:  probability, one-sided
    Zero:   towards it, the more rows are lost and the fewer gained
    Source: McNemar 1947, doi:10.1007/BF02295996; the binomial distribution in the place of its chi-square
    """
    from scipy.special import bdtr  # numpy is slow to import, and most gates ask nothing of it

    return float(bdtr(gained, gained + lost, 0.5)) if gained + lost else 1.0
