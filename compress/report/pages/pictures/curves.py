"""How the models learned."""

import math

import altair

from compress.report import words
from compress.report.pages.pictures import palette
from compress.report.pages.pictures.drawing import NARROW_PX, chart, draw
from compress.report.record import Record, Stage


def curves(record: Record, *, width: int = 760) -> str:
    """Validation accuracy and training loss over the epochs of every stage that trained. "" if none did.

    The accuracy's scale is common to all stages, the loss's is each stage's own. Units: px of width
    """
    trained = [stage for stage in record.stages if stage.history]
    if not trained:
        return ""
    most = 2 if width < NARROW_PX else 4
    columns = math.ceil(len(trained) / math.ceil(len(trained) / most))
    inner = (width - 10) // columns - 58
    seen = [point.validation for stage in trained for point in stage.history if point.validation is not None]
    form = ".1%" if max(seen, default=1) - min(seen, default=0) < 0.03 else ".0%"
    blocks = []
    for stage in trained:
        parts = [_curve(stage, "loss", "training loss", altair.Axis(tickCount=4, format="~g", title=None), inner, None)]
        if seen:
            pad = max(0.06 * (max(seen) - min(seen)), 0.002)
            axis = altair.Axis(tickCount=4, format=form, title=None)
            domain = [min(seen) - pad, max(seen) + pad]
            parts.insert(0, _curve(stage, "validation", "validation accuracy", axis, inner, domain))
        blocks.append(
            altair.vconcat(*parts, spacing=10).properties(
                title=altair.TitleParams(words.line(stage.name), limit=inner + 40)
            )
        )
    return draw(altair.concat(*blocks, columns=columns, spacing=18), "training curves of every stage", right=12)


def _curve(
    stage: Stage, key: str, name: str, axis: altair.Axis, width: int, domain: list[float] | None
) -> altair.Chart:
    points = [(point.epoch, getattr(point, key)) for point in stage.history]
    rows = [{"epoch": epoch, "value": value} for epoch, value in points if value is not None]
    colour = palette.SERIES[0] if key == "validation" else palette.MUTED
    last = max(epoch for epoch, _ in points)
    ticks = altair.Axis(tickCount=min(4, math.ceil(last)), format="~g", title="epoch" if key == "loss" else None)
    scale = altair.Scale(domain=domain, nice=False) if domain else altair.Scale(zero=True)
    line = chart(rows).mark_line(point=altair.OverlayMarkDef(size=22, color=colour), color=colour, strokeWidth=1.8)
    drawn: altair.Chart = line.encode(
        x=altair.X("epoch:Q", scale=altair.Scale(domain=[0, max(last, 1)], nice=False), axis=ticks),
        y=altair.Y("value:Q", scale=scale, axis=axis),
    ).properties(
        width=width,
        height=90,
        title=altair.TitleParams(name, fontSize=11, fontWeight="normal", color=palette.MUTED, offset=6),
    )
    return drawn
