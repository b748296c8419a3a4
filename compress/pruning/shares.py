"""Which shares can be removed, by the widths of the layers alone. Imports no torch."""

_MISS = 0.02
"""How far from the asked share a cut may end."""


def missed(asked: float, removed: float, units: int) -> bool:
    """Whether a cut ends further from the asked share than `_MISS` and than rounding to a whole unit explains."""
    return abs(removed - asked) > max(_MISS, 0.5 / units) + 1e-9


def nearest(asked: float, *, layers: int, width: int, multiple: int = 1) -> float:
    """The share nearest to `asked` that can be removed of `layers` layers of `width` units each.

    A layer that is cut keeps a multiple of `multiple` units, and at least one such step.
    """
    units, most = layers * width, (width - 1) // multiple
    kept = units
    for cut in range(1, layers + 1 if most else 1):
        steps = round(((1 - asked) * units - (layers - cut) * width) / multiple)
        total = (layers - cut) * width + multiple * min(max(steps, cut), cut * most)
        kept = min(kept, total, key=lambda left: abs(left - (1 - asked) * units))
    return 1 - kept / units


def least(
    kind: str, *, hidden: int, heads: int, neurons: int, multiple: int, lengths: tuple[int, int] | None = None
) -> float:
    """A share of the layers' `flops` or `parameters` below which no cut comes that leaves each a head and `multiple` neurons.

    The bound holds for feed-forward blocks of two Linears and of three (gated ones), and for every length of the rows
    between the `lengths`: what is common to all cuts, such as norms, would only raise it.
    """
    found = []
    for linears in (2, 3):
        for length in lengths if lengths is not None and kind == "flops" else (0,):
            attention, block = hidden * (4 * hidden + 2 * length), linears * hidden * neurons
            smallest = attention / heads + block * min(multiple, neurons) / neurons
            found.append(smallest / (attention + block))
    return min(found)


def refusal(kind: str, asked: float, removed: float, multiple: int) -> str:
    """The sentence for a share of all `heads` or `neurons` that cannot be removed; `removed` is the nearest that can."""
    near, cure = f"{removed:.3g}", ""
    why = "every layer keeps a head"
    if kind == "neurons":
        why = f"with `multiple: {multiple}` a layer that is cut keeps a multiple of {multiple} neurons"
        cure = ", or a smaller `multiple`"
    return (
        f"{asked:g} of all {kind} was asked for, {near} is the nearest that can be removed: {why}. Give {near}{cure}."
    )
