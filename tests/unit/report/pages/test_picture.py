import re
import xml.etree.ElementTree as ElementTree

import pytest
import sample

from compress.config.settings import Gate, LatencyGate
from compress.report.pages import palette, picture
from compress.report.structure import Layer, Structure


@pytest.fixture(scope="module")
def report():
    return sample.record(rows=60)


@pytest.fixture(scope="module")
def drawn(report):
    return picture.svg(report)


def texts(drawn):
    return [
        element.text
        for element in ElementTree.fromstring(drawn).iter()
        if element.tag.endswith("text") and element.text
    ]


def test_the_picture_is_a_whole_svg_that_needs_nothing(drawn):
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert "accuracy against median latency" in root.get("aria-label")
    assert drawn.count("http") == 1
    assert "<script" not in drawn
    assert "<image" not in drawn


def test_every_variant_is_named_where_it_stands(report, drawn):
    written = texts(drawn)
    assert "tiny INT8, 4.56 MB" in written
    assert sum(text.split(",")[0] in {"teacher FP32", "small INT8", "tiny FP16"} for text in written) == 4
    assert "gate: keep 97.00 %" in written


def test_each_export_has_a_mark_of_its_own(report):
    assert len(picture._SHAPES) == len(set(picture._SHAPES))
    legend = {"PyTorch FP32", "ONNX Runtime FP32", "ONNX Runtime FP16", "ONNX Runtime INT8", "teacher", "small", "tiny"}
    for width in (1000, 356):
        assert legend <= set(texts(picture.tradeoff(report, width=width)))


def test_every_colour_has_a_dark_counterpart(report, drawn):
    style, rest = drawn.split("</style>")
    more = picture.curves(report) + picture.structure(report.structures["tiny"])
    used = set(re.findall(r'(?:fill|stroke)="([^"]*)"', rest + more)) - {"none", "transparent"}
    assert used <= set(palette.DARK)
    for colour in used:
        assert f'[fill="{colour}"]{{fill:{palette.DARK[colour]}}}' in style
        assert f'[stroke="{colour}"]{{stroke:{palette.DARK[colour]}}}' in style


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out_from_the_page(dark):
    def seen(colour):
        return palette.DARK[colour] if dark else colour

    for colour in (palette.INK, palette.MUTED, *palette.SERIES):
        assert contrast(seen(colour), seen(palette.SURFACE)) >= 4.5, colour


def contrast(one, other):
    """WCAG 2.1 contrast ratio."""

    def luminance(colour):
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_names_from_outside_stay_text(report):
    nasty = report.variants[-1].model_copy(update={"model": "<script>x</script>"})
    drawn = picture.svg(report.model_copy(update={"variants": (report.variants[0], nasty)}))
    assert "<script" not in drawn
    assert any("<script>x</script>" in text for text in texts(drawn))


def test_nothing_timed_is_no_picture(report):
    bare = tuple(variant.model_copy(update={"latency": ()}) for variant in report.variants)
    assert picture.svg(report.model_copy(update={"variants": bare})) == ""
    assert picture.curves(report.model_copy(update={"stages": ()})) == ""


def test_a_gate_on_the_median_is_drawn(report):
    gated = report.model_copy(update={"gate": Gate(latency=LatencyGate(p50_ms=5))})
    assert "gate: 5.00 ms" in texts(picture.svg(gated))


def test_one_variant_alone_can_be_drawn(report):
    assert "teacher FP32, 90.9 MB" in texts(picture.svg(report.model_copy(update={"variants": report.variants[:1]})))


@pytest.mark.parametrize("width", [356, 1000])
def test_each_layer_says_what_is_left(report, width):
    drawn = picture.structure(report.structures["small"], width=width).replace("<svg", "<svg xmlns='x'", 1)
    written = texts(drawn)
    assert "attention heads: 62 of 72 left" in written
    assert {"layer 1", "9 of 12", "760 of 1\u202f536"} <= set(written)
    gone = Structure(layers=(Layer(heads=0, neurons=0),), of=Layer(heads=0, neurons=0))
    assert picture.structure(gone, width=width)


def test_each_stage_that_trained_has_its_curve(report):
    written = texts(picture.curves(report))
    assert [name for name in written if "/" in name or name == "teacher"] == [
        "teacher",
        "distill/small",
        "distill/tiny",
        "prune/small",
        "prune/tiny",
    ]
    assert written.count("validation accuracy") == written.count("training loss") == 5
