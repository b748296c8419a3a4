"""The pictures of a report, as static SVG: accuracy against latency, what was cut where, how the models learned.

Drawn by Vega-Lite inside this process (vl-convert), without a network. Colours are those of `palette`, so that one
picture serves light and dark pages; nothing is told by colour alone.
"""

import io
import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import altair

from compress import units
from compress.report import words
from compress.report.gate.verdict import shape
from compress.report.pages import palette, placement
from compress.report.pages.tables import export
from compress.report.record import Record, Stage
from compress.report.structure import Structure
from compress.report.variant import REFERENCE, TEACHER, Variant

_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
_LARGEST_PX2 = 900.0  # on a wide picture; half as much on a narrow one
_SMALLEST_PX2 = 60.0
_NARROW_PX = 600

Row = dict[str, Any]


def svg(record: Record, *, width: int = 760) -> str:
    """Accuracy against latency as a file of its own, which follows the reader's light or dark setting; "" if nothing
    was timed at the first shape."""
    drawn = tradeoff(record, width=width)
    style = f"<style>@media (prefers-color-scheme: dark){{{palette.dark_rules()}}}</style>"
    return drawn.replace(">", f' xmlns="http://www.w3.org/2000/svg">{style}', 1) if drawn else ""


def tradeoff(record: Record, *, width: int = 760) -> str:
    """Metric over median latency (log scale) of every variant; area is the size of the file. "" if nothing was timed.

    Dashed lines are what the gate asks for. Units: px of width
    """
    batch, sequence = shape(record, record.gate.latency)
    shown = [v for v in record.variants if v.cell(batch, sequence) and record.task.metric in v.metrics]
    if not shown:
        return ""
    shown.sort(key=lambda variant: (variant.id != REFERENCE or variant.model != TEACHER, -variant.size_bytes))
    frame = _Frame(record, shown, width - 70, 340)
    lines, texts = _labels(shown, frame)
    layers = [*_limits(record, frame), lines, _marks(record, shown, frame), texts]
    chart = altair.layer(*layers).properties(width=frame.width, height=frame.height)
    metric = words.metric(record.task.metric)
    return _draw(chart, f"{metric} against median latency at {words.shape(batch, sequence)} tokens; area is file size")


class _Frame:
    """The scales of the trade-off: data to pixels and back."""

    def __init__(self, record: Record, shown: Sequence[Variant], width: int, height: int) -> None:
        self.width, self.height = width, height
        self.metric = record.task.metric
        self.batch, self.sequence = shape(record, record.gate.latency)
        times = [self.latency(variant) for variant in shown]
        scores = [variant.metrics[self.metric] for variant in shown]
        floor = accuracy_limit(record)
        scores += [] if floor is None else [floor]
        times += [record.gate.latency.p50_ms] if record.gate.latency.p50_ms else []
        pad = max(0.12 * (max(scores) - min(scores)), 0.004)
        self.x = (min(times) / 1.5, max(times) * 1.5)
        self.y = (min(scores) - pad, max(scores) + pad)
        self.narrow = width < _NARROW_PX - 70
        self.largest = max(variant.size_bytes for variant in shown) or 1

    def latency(self, variant: Variant) -> float:
        cell = variant.cell(self.batch, self.sequence)
        return math.nan if cell is None else cell.p50_ms

    def area(self, variant: Variant) -> float:
        most = _LARGEST_PX2 / 2 if self.narrow else _LARGEST_PX2
        return max(_SMALLEST_PX2, most * variant.size_bytes / self.largest)

    def pixels(self, latency: float, score: float) -> tuple[float, float]:
        across = math.log(latency / self.x[0]) / math.log(self.x[1] / self.x[0])
        return across * self.width, (self.y[1] - score) / (self.y[1] - self.y[0]) * self.height

    def data(self, x: float, y: float) -> tuple[float, float]:
        latency = self.x[0] * (self.x[1] / self.x[0]) ** (x / self.width)
        return latency, self.y[1] - y / self.height * (self.y[1] - self.y[0])

    def axes(self) -> dict[str, Any]:
        share = words.score(self.metric, 0.5).endswith("%")
        ticks = [
            n * 10.0**power for power in range(-4, 6) for n in (1, 2, 5) if self.x[0] <= n * 10.0**power <= self.x[1]
        ]
        title = f"median latency, {words.plural(self.batch, 'row', 'rows')} of {self.sequence} tokens (ms, log scale)"
        return {
            "x": altair.X(
                "x:Q",
                scale=altair.Scale(type="log", domain=list(self.x), nice=False),
                axis=altair.Axis(values=ticks, format="~g", title=title),
            ),
            "y": altair.Y(
                "y:Q",
                scale=altair.Scale(domain=list(self.y), nice=False, zero=False),
                axis=altair.Axis(format=".1%" if share else ".3f", tickCount=6, title=words.metric(self.metric)),
            ),
        }


def accuracy_limit(record: Record) -> float | None:
    """The metric's value that the gate asks every student to keep, if it asks for a share of the teacher's."""
    keep, teacher = record.gate.accuracy.keep, record.reference
    whole = None if teacher is None else teacher.metrics.get(record.task.metric)
    return None if keep is None or whole is None else keep * whole


def _marks(record: Record, shown: Sequence[Variant], frame: _Frame) -> altair.Chart:
    models = [TEACHER, *record.students]
    colours = [palette.INK, *(palette.series(number) for number in range(len(record.students)))]
    exports = list(dict.fromkeys(export(variant) for variant in record.variants if variant in shown))
    shapes = [_SHAPES[number % len(_SHAPES)] for number in range(len(exports))]
    rows = [
        {
            "x": frame.latency(variant),
            "y": variant.metrics[frame.metric],
            "area": frame.area(variant),
            "model": variant.model,
            "export": export(variant),
        }
        for variant in sorted(shown, key=lambda variant: -variant.size_bytes)
    ]
    models_at = altair.Legend(title=None, orient="top", columns=4, symbolSize=90)
    exports_at = altair.Legend(title=None, orient="bottom", columns=2, symbolSize=90) if frame.narrow else models_at
    marks = _chart(rows).mark_point(filled=True, opacity=0.9, stroke=palette.SURFACE, strokeWidth=1.5)
    encoded: altair.Chart = marks.encode(
        **frame.axes(),
        size=altair.Size("area:Q", scale=None, legend=None),
        shape=altair.Shape("export:N", scale=altair.Scale(domain=exports, range=shapes), legend=exports_at),
        color=altair.Color("model:N", scale=altair.Scale(domain=models, range=colours), legend=models_at),
    )
    return encoded


def _labels(shown: Sequence[Variant], frame: _Frame) -> tuple[altair.Chart, altair.Chart]:
    """Model, precision and size beside each point, and lines to the labels that found no place there."""
    points = []
    for variant in shown:
        x, y = frame.pixels(frame.latency(variant), variant.metrics[frame.metric])
        name = variant.model if len(variant.model) <= 24 else f"{variant.model[:23]}…"
        text = f"{name} {variant.precision.upper()}"
        text = text if frame.narrow else f"{text}, {units.size(variant.size_bytes)}"
        points.append(placement.Point(x, y, math.sqrt(frame.area(variant) / math.pi), text))
    rows, leaders = [], []
    for point, label in zip(points, placement.labels(points, frame.width, frame.height), strict=True):
        if label is None:
            continue
        x, y = frame.data(label.x, label.y)
        rows.append({"x": x, "y": y, "text": point.text})
        if label.far:
            right = label.x + len(point.text) * placement.CHARACTER_PX
            x2, y2 = frame.data(min(max(point.x, label.x), right), label.y)
            x, y = frame.data(point.x, point.y)
            leaders.append({"x": x, "y": y, "x2": x2, "y2": y2})
    axes = frame.axes()
    texts = _chart(rows).mark_text(align="left", baseline="middle", fontSize=11, color=palette.INK)
    lines = _chart(leaders).mark_rule(color=palette.MUTED, strokeWidth=0.8)
    return lines.encode(**axes, x2="x2:Q", y2="y2:Q"), texts.encode(**axes, text="text:N")


def _limits(record: Record, frame: _Frame) -> list[altair.Chart]:
    """Dashed lines at what the gate asks for."""
    floor, ceiling = accuracy_limit(record), record.gate.latency.p50_ms
    axes, charts = frame.axes(), []
    if floor is not None:
        text = f"gate: keep {units.percent(record.gate.accuracy.keep or 0)}"
        rows = [{"x": frame.x[1], "y": floor, "text": text}]
        charts += [_dashed(rows).encode(y=axes["y"]), _said(rows, "right", 12).encode(**axes, text="text:N")]
    if ceiling is not None:
        rows = [{"x": ceiling, "y": frame.y[0], "text": f"gate: {units.milliseconds(ceiling)}"}]
        charts += [_dashed(rows).encode(x=axes["x"]), _said(rows, "left", -10).encode(**axes, text="text:N")]
    return charts


def _dashed(rows: list[Row]) -> altair.Chart:
    drawn: altair.Chart = _chart(rows).mark_rule(color=palette.MUTED, strokeDash=[5, 4], strokeWidth=1.2)
    return drawn


def _said(rows: list[Row], align: Literal["left", "right"], down: int) -> altair.Chart:
    across = 5 if align == "left" else -5
    drawn: altair.Chart = _chart(rows).mark_text(
        align=align, baseline="middle", dx=across, dy=down, color=palette.MUTED, fontSize=11, fontStyle="italic"
    )
    return drawn


def structure(cut: Structure, *, width: int = 760) -> str:
    """Heads and neurons left in each layer of a student, as bars inside what was there before. Units: px of width"""
    narrow = width < _NARROW_PX
    inner = width - 160 if narrow else (width - 300) // 2
    heads = [(layer.heads, cut.of.heads) for layer in cut.layers]
    neurons = [(layer.neurons, cut.of.neurons) for layer in cut.layers]
    panels = [_bars("attention heads", heads, inner, palette.SERIES[0])]
    panels.append(_bars("feed-forward neurons", neurons, inner, palette.SERIES[2]))
    joined = altair.vconcat(*panels) if narrow else altair.hconcat(*panels, spacing=24)
    return _draw(joined, "attention heads and feed-forward neurons left in each layer", right=100)


def _bars(
    title: str, counts: Sequence[tuple[int, int]], width: int, colour: str
) -> altair.LayerChart | altair.FacetChart:
    rows = [
        {"layer": number, "kept": kept, "whole": whole, "text": f"{words.number(kept)} of {words.number(whole)}"}
        for number, (kept, whole) in enumerate(counts, start=1)
    ]
    kept, whole = (sum(values) for values in zip(*counts, strict=True))
    axis = altair.Axis(labelExpr="'layer ' + datum.label", ticks=False, domain=False, title=None, labelPadding=7)
    chart = _chart(rows).encode(y=altair.Y("layer:O", axis=axis))
    scale = altair.Scale(domain=[0, max(1, *(value for _, value in counts))], nice=False)
    outline = chart.mark_bar(height=11, color=palette.SURFACE, stroke=palette.MUTED, strokeWidth=0.8)
    filled = chart.mark_bar(height=11, color=colour)
    text = chart.mark_text(align="left", dx=6, fontSize=11, color=palette.INK)
    at_whole = altair.X("whole:Q", scale=scale, axis=None)
    return altair.layer(
        outline.encode(x=at_whole),
        filled.encode(x=altair.X("kept:Q", scale=scale, axis=None)),
        text.encode(x=at_whole, text="text:N"),
    ).properties(
        width=width, height=altair.Step(18), title=f"{title}: {words.number(kept)} of {words.number(whole)} left"
    )


def curves(record: Record, *, width: int = 760) -> str:
    """Validation metric and training loss over the epochs of every stage that trained. "" if none did.

    The metric's scale is common to all stages, the loss's is each stage's own. Units: px of width
    """
    trained = [stage for stage in record.stages if stage.history]
    if not trained:
        return ""
    most = 2 if width < _NARROW_PX else 4
    columns = math.ceil(len(trained) / math.ceil(len(trained) / most))
    inner = (width - 10) // columns - 58
    seen = [point.validation for stage in trained for point in stage.history if point.validation is not None]
    share = words.score(record.task.metric, 0.5).endswith("%")
    form = (".1%" if max(seen, default=1) - min(seen, default=0) < 0.03 else ".0%") if share else ".2f"
    blocks = []
    for stage in trained:
        parts = [_curve(stage, "loss", "training loss", altair.Axis(tickCount=4, format="~g", title=None), inner, None)]
        if seen:
            pad = max(0.06 * (max(seen) - min(seen)), 0.002)
            axis = altair.Axis(tickCount=4, format=form, title=None)
            domain = [min(seen) - pad, max(seen) + pad]
            name = f"validation {words.metric(record.task.metric)}"
            parts.insert(0, _curve(stage, "validation", name, axis, inner, domain))
        blocks.append(altair.vconcat(*parts, spacing=10).properties(title=stage.name))
    return _draw(altair.concat(*blocks, columns=columns, spacing=18), "training curves of every stage", right=12)


def _curve(
    stage: Stage, key: str, name: str, axis: altair.Axis, width: int, domain: list[float] | None
) -> altair.Chart:
    points = [(point.epoch, getattr(point, key)) for point in stage.history]
    rows = [{"epoch": epoch, "value": value} for epoch, value in points if value is not None]
    colour = palette.SERIES[0] if key == "validation" else palette.MUTED
    last = max(epoch for epoch, _ in points)
    ticks = altair.Axis(tickCount=min(4, math.ceil(last)), format="~g", title="epoch" if key == "loss" else None)
    scale = altair.Scale(domain=domain, nice=False) if domain else altair.Scale(zero=True)
    line = _chart(rows).mark_line(point=altair.OverlayMarkDef(size=22, color=colour), color=colour, strokeWidth=1.8)
    drawn: altair.Chart = line.encode(
        x=altair.X("epoch:Q", scale=altair.Scale(domain=[0, max(last, 1)], nice=False), axis=ticks),
        y=altair.Y("value:Q", scale=scale, axis=axis),
    ).properties(
        width=width,
        height=90,
        title=altair.TitleParams(name, fontSize=11, fontWeight="normal", color=palette.MUTED, offset=6),
    )
    return drawn


def _chart(rows: list[Row]) -> altair.Chart:
    return altair.Chart(altair.InlineData(values=rows))


def _draw(chart: Any, label: str, right: int = 8) -> str:
    """The chart as an SVG element without namespaces, with a label for readers, and `right` px free at its right."""
    styled = chart.configure(
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
    return f'<svg role="img" aria-label="{escape(label)}" {sizes}>{body}'
