"""How far a student is cut that is cut in several steps. Pure: no model, nothing random. Imports no torch."""


def after(step: int, steps: int, start: float, goal: float) -> float:
    """Where a share that goes from `start` to `goal` in so many steps is to be after one of them, counted from 1.

    Much goes in the first steps, while there is much that can go, and little in the last.

    Units:  shares, removed or kept
    Zero:   what is left of the way after the last step: it gives `goal` exactly
    Source: Zhu and Gupta 2017, arXiv:1710.01878, section 3, equation 1; training towards the same goals between
            the cuts as Kurtic et al. 2023, arXiv:2302.04089 (ZipLM), section 3, whose steps are asked for one by one
    """
    return goal + (start - goal) * (1 - step / steps) ** 3
