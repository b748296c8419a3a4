"""Accuracy against latency; the area of a mark is the size of its file."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import altair

from compress import units
from compress.report import words
from compress.report.gate.latency import shape
from compress.report.pages import pareto
from compress.report.pages.pictures import palette, placement
from compress.report.pages.pictures.drawing import NARROW_PX, Row, chart, draw
from compress.report.pages.tables.table import export
from compress.report.record import Record
from compress.report.variant import REFERENCE, TEACHER, Variant

_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
_LARGEST_PX2 = 900.0  # on a wide picture; half as much on a narrow one
_SMALLEST_PX2 = 60.0
_NAME = 24  # characters of a model's name beside its mark; the legend has it whole
_SYMBOL_PX = 34.0  # a legend's symbol and what is free around it
_LINE = "Pareto line"
_PYTORCH = "pytorch"


def svg(record: Record, *, width: int = 760) -> str:
    """Accuracy against latency as a file of its own, which follows the reader's light or dark setting; "" if nothing
    was timed at the first shape."""
    drawn = tradeoff(record, width=width)
    style = f"<style>@media (prefers-color-scheme: dark){{{palette.dark_rules()}}}</style>"
    return drawn.replace(">", f' xmlns="http://www.w3.org/2000/svg">{style}', 1) if drawn else ""


def tradeoff(record: Record, *, width: int = 760) -> str:
    """Metric over median latency (log scale) of every variant; area is the size of the file. "" if nothing was timed.

    The stepped line is the Pareto line: at each latency the best that was measured. Dashed lines are what the gate asks
    for. Units: px of width
    """
    batch, sequence = shape(record, record.gate.latency)
    shown = [v for v in record.variants if v.cell(batch, sequence) and record.task.metric in v.metrics]
    if not shown:
        return ""
    shown.sort(key=lambda variant: (variant.id != REFERENCE or variant.model != TEACHER, -variant.size_bytes))
    frame = _Frame(record, shown, width - 70, 340)
    line = pareto.frontier(record, batch, sequence)
    name = _place(line, shown, frame)
    leaders, texts = _labels(shown, frame, [*_segments(line, frame), *([name] if name else [])])
    layers = [*_limits(record, frame), *_line(line, frame, name), leaders, _marks(record, shown, frame), texts]
    joined = altair.layer(*layers).properties(width=frame.width, height=frame.height)
    what = f"{words.metric(record.task.metric)} against median latency at {words.shape(batch, sequence)} tokens"
    return draw(joined, f"{what}; area is file size. {pareto.sentence(record)}")


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
        self.narrow = width < NARROW_PX - 70
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

    def point(self, variant: Variant, text: str) -> placement.Point:
        x, y = self.pixels(self.latency(variant), variant.metrics[self.metric])
        return placement.Point(x, y, math.sqrt(self.area(variant) / math.pi), text)

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
                axis=altair.Axis(
                    format=".1%" if share else ".3f",
                    tickCount=6,
                    title=words.metric(self.metric),
                    labelExpr="datum.value > 1.00001 ? '' : datum.label",
                ),
            ),
        }


def accuracy_limit(record: Record) -> float | None:
    """The metric's value that the gate asks every student to keep, if it asks for a share of the teacher's."""
    keep, teacher = record.gate.accuracy.keep, record.reference
    whole = None if teacher is None else teacher.metrics.get(record.task.metric)
    return None if keep is None or whole is None else keep * whole


def _marks(record: Record, shown: Sequence[Variant], frame: _Frame) -> altair.Chart:
    models = [TEACHER, *map(words.line, record.students)]
    colours = [palette.INK, *(palette.series(number) for number in range(len(record.students)))]
    exports = list(dict.fromkeys(words.line(export(variant)) for variant in record.variants if variant in shown))
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
    models_at, exports_at = _legend(models, "top", frame), _legend(exports, "bottom", frame)
    marks = chart(rows).mark_point(filled=True, opacity=0.9, stroke=palette.SURFACE, strokeWidth=1.5)
    encoded: altair.Chart = marks.encode(
        **frame.axes(),
        size=altair.Size("area:Q", scale=None, legend=None),
        shape=altair.Shape("export:N", scale=altair.Scale(domain=exports, range=shapes), legend=exports_at),
        color=altair.Color("model:N", scale=altair.Scale(domain=models, range=colours), legend=models_at),
    )
    return encoded


def _legend(names: Sequence[str], orient: Literal["top", "bottom"], frame: _Frame) -> altair.Legend:
    """A legend with as many columns as whole names find room."""
    longest = max(map(len, names), default=1) * placement.CHARACTER_PX + _SYMBOL_PX
    columns = min(len(names), max(1, int(frame.width / longest)))
    return altair.Legend(title=None, orient=orient, columns=columns, symbolSize=90, labelLimit=frame.width - _SYMBOL_PX)


def _names(shown: Sequence[Variant]) -> list[str]:
    """What tells the variants apart: model and precision, and the runtime where there are several beside PyTorch."""
    several = len({variant.runtime for variant in shown} - {_PYTORCH}) > 1
    short = [(_short(variant.model), words.precision(variant.precision, variant.recipe)) for variant in shown]
    return [
        f"{model} {words.runtime(variant.runtime)} {number}"
        if several or (variant.runtime == _PYTORCH and short.count((model, number)) > 1)
        else f"{model} {number}"
        for variant, (model, number) in zip(shown, short, strict=True)
    ]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _labels(
    shown: Sequence[Variant], frame: _Frame, free_of: Sequence[placement.Box]
) -> tuple[altair.Chart, altair.Chart]:
    """Name and size beside each point, and lines to the labels that found no place there."""
    points = [
        frame.point(variant, text if frame.narrow else f"{text}, {units.size(variant.size_bytes)}")
        for variant, text in zip(shown, _names(shown), strict=True)
    ]
    rows, leaders = [], []
    for point, label in zip(points, placement.labels(points, frame.width, frame.height, free_of), strict=True):
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
    texts = chart(rows).mark_text(align="left", baseline="middle", fontSize=11, color=palette.INK)
    lines = chart(leaders).mark_rule(color=palette.MUTED, strokeWidth=0.8)
    return lines.encode(**axes, x2="x2:Q", y2="y2:Q"), texts.encode(**axes, text="text:N")


def _place(line: Sequence[Variant], shown: Sequence[Variant], frame: _Frame) -> placement.Box | None:
    """Where the Pareto line's name stands: at its right end or amid a step, above or below it; None if marks are in the way."""
    width, height = len(_LINE) * placement.CHARACTER_PX, placement.LINE_PX
    marks = [placement.around(frame.point(variant, "")) for variant in shown]
    steps = [frame.pixels(*corner) for corner in _corners(line, frame)]
    rights = [(float(frame.width), steps[-1][1])]
    rights += [((x + after + width) / 2, y) for (x, y), (after, _) in pairwise(steps) if after - x > width]
    for right, y in rights:
        for top in (y - height - 2, y + 2):
            box = placement.Box(right - width, top, right, top + height)
            if 0 <= top <= frame.height - height and not any(box.overlap(mark) for mark in marks):
                return box
    return None


def _corners(line: Sequence[Variant], frame: _Frame) -> list[tuple[float, float]]:
    corners = [(frame.latency(variant), variant.metrics[frame.metric]) for variant in line]
    return [*corners, (frame.x[1], corners[-1][1])]


def _segments(line: Sequence[Variant], frame: _Frame) -> list[placement.Box]:
    """What the steps of the Pareto line cover."""
    corners = [frame.pixels(*corner) for corner in _corners(line, frame)]
    level = [placement.Box(x, y - 1, after, y + 1) for (x, y), (after, _) in pairwise(corners)]
    return level + [placement.Box(x - 1, y, x + 1, before) for (_, before), (x, y) in pairwise(corners)]


def _line(line: Sequence[Variant], frame: _Frame, name: placement.Box | None) -> list[altair.Chart]:
    """At each latency the best that was measured, as steps, and its name."""
    rows: list[Row] = [{"x": x, "y": y} for x, y in _corners(line, frame)]
    steps = chart(rows).mark_line(interpolate="step-after", color=palette.MUTED, strokeWidth=1.6)
    drawn: list[altair.Chart] = [steps.encode(**frame.axes())]
    if name is not None:
        y = frame.data(0, (name.top + name.bottom) / 2)[1]
        drawn.append(
            _said([{"x": frame.x[1], "y": y, "text": _LINE}], "right", 0).encode(**frame.axes(), text="text:N")
        )
    return drawn


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
    drawn: altair.Chart = chart(rows).mark_rule(color=palette.MUTED, strokeDash=[5, 4], strokeWidth=1.2)
    return drawn


def _said(rows: list[Row], align: Literal["left", "right"], down: int) -> altair.Chart:
    across = 5 if align == "left" else -5
    drawn: altair.Chart = chart(rows).mark_text(
        align=align, baseline="middle", dx=across, dy=down, color=palette.MUTED, fontSize=11, fontStyle="italic"
    )
    return drawn
