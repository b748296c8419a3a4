"""What was cut where."""

from collections.abc import Sequence

import altair

from compress.report import words
from compress.report.pages.pictures import palette
from compress.report.pages.pictures.drawing import NARROW_PX, chart, draw
from compress.report.structure import Structure


def layers(cut: Structure, *, width: int = 760) -> str:
    """Heads and neurons left in each layer of a student, as bars inside what was there before. "" without layers.

    Units: px of width
    """
    if not cut.layers:
        return ""
    narrow = width < NARROW_PX
    inner = width - 160 if narrow else (width - 300) // 2
    heads = [(layer.heads, cut.of.heads) for layer in cut.layers]
    neurons = [(layer.neurons, cut.of.neurons) for layer in cut.layers]
    panels = [_bars("attention heads", heads, inner, palette.SERIES[0])]
    panels.append(_bars("feed-forward neurons", neurons, inner, palette.SERIES[2]))
    joined = altair.vconcat(*panels) if narrow else altair.hconcat(*panels, spacing=24)
    return draw(joined, "attention heads and feed-forward neurons left in each layer", right=100)


def _bars(
    title: str, counts: Sequence[tuple[int, int]], width: int, colour: str
) -> altair.LayerChart | altair.FacetChart:
    rows = [
        {"layer": number, "kept": kept, "whole": whole, "text": f"{words.number(kept)} of {words.number(whole)}"}
        for number, (kept, whole) in enumerate(counts, start=1)
    ]
    kept, whole = (sum(values) for values in zip(*counts, strict=True))
    axis = altair.Axis(labelExpr="'layer ' + datum.label", ticks=False, domain=False, title=None, labelPadding=7)
    bars = chart(rows).encode(y=altair.Y("layer:O", axis=axis))
    scale = altair.Scale(domain=[0, max(1, *(value for _, value in counts))], nice=False)
    outline = bars.mark_bar(height=11, color=palette.SURFACE, stroke=palette.MUTED, strokeWidth=0.8)
    filled = bars.mark_bar(height=11, color=colour)
    text = bars.mark_text(align="left", dx=6, fontSize=11, color=palette.INK)
    at_whole = altair.X("whole:Q", scale=scale, axis=None)
    return altair.layer(
        outline.encode(x=at_whole),
        filled.encode(x=altair.X("kept:Q", scale=scale, axis=None)),
        text.encode(x=at_whole, text="text:N"),
    ).properties(
        width=width, height=altair.Step(18), title=f"{title}: {words.number(kept)} of {words.number(whole)} left"
    )
