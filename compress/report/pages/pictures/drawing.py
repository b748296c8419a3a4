"""How every picture is drawn: its data, its style, the SVG that comes out."""

import io
import re
from html import escape
from typing import Any

import altair

from compress.report import words
from compress.report.pages.pictures import palette

NARROW_PX = 600
"""Pictures below this width are drawn for a telephone."""

Row = dict[str, Any]


def chart(rows: list[Row]) -> altair.Chart:
    """A chart of rows."""
    values = [{key: words.line(it) if isinstance(it, str) else it for key, it in row.items()} for row in rows]
    return altair.Chart(altair.InlineData(values=values))


def draw(drawn: Any, label: str, right: int = 8) -> str:
    """The chart as an SVG element without namespaces, with a label for readers, and `right` px free at its right."""
    styled = drawn.configure(
        background="transparent",
        font=palette.FONT,
        padding={"left": 4, "top": 4, "right": right, "bottom": 4},
        view=altair.ViewConfig(stroke=None),
        axis=altair.AxisConfig(
            labelColor=palette.MUTED,
            titleColor=palette.INK,
            tickColor=palette.LINE,
            domainColor=palette.LINE,
            gridColor=palette.LINE,
            gridOpacity=0.6,
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            titlePadding=8,
        ),
        legend=altair.LegendConfig(
            labelColor=palette.INK, labelFontSize=11, symbolStrokeColor=palette.SURFACE, symbolFillColor=palette.MUTED
        ),
        title=altair.TitleConfig(color=palette.INK, fontSize=12, fontWeight=600, anchor="start"),
    )
    text = io.StringIO()
    styled.save(text, format="svg")
    head, body = text.getvalue().split(">", 1)
    sizes = " ".join(re.findall(r'(?:width|height|viewBox)="[^"]*"', head))
    return f'<svg role="img" aria-label="{escape(words.line(label))}" {sizes}>{body}'
