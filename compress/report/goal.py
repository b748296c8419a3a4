"""What a cut was to reach and what it reached, in a sentence."""

from compress import units
from compress.report import words
from compress.report.structure import Target

_TITLES = {
    "flops": "FLOPs of the encoder kept",
    "parameters": "Parameters of the encoder kept",
    "size_mb": "Size after the cut",
    "speedup": "Speed-up by the cut",
}


def sentence(target: Target) -> str:
    """The target, what was reached and what was asked for: `Speed-up by the cut: 2.04× (2.00× asked), on …`."""
    place = [] if target.on is None else [f"on {target.on}"]
    if target.batch is not None:
        place.append(f"at {words.shape(target.batch, target.sequence)}")
    elif target.sequence is not None:
        place.append(f"at {words.plural(target.sequence, 'token', 'tokens')}")
    if target.threads is not None:
        place.append(words.plural(target.threads, "thread", "threads"))
    where = f", {', '.join(place)}" if place else ""
    reached, asked = (_number(target.kind, value) for value in (target.reached, target.asked))
    missed = " That misses it." if target.missed else ""
    return f"{_TITLES[target.kind]}: {reached} ({asked} asked){where}.{missed}"


def _number(kind: str, value: float) -> str:
    if kind == "speedup":
        return words.times(value)
    return units.size(1e6 * value) if kind == "size_mb" else units.percent(value)
