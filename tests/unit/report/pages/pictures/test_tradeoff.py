import re
import xml.etree.ElementTree as ElementTree

import pytest
import sample

from compress.config.settings import Gate, LatencyGate
from compress.report.pages.pictures import curves, layers, palette, tradeoff


@pytest.fixture(scope="module")
def report():
    return sample.record(rows=60)


@pytest.fixture(scope="module")
def drawn(report):
    return tradeoff.svg(report)


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
    names = [text.split(",")[0] for text in written]
    assert {"teacher PyTorch FP32", "teacher FP32", "small PyTorch FP32", "small INT8", "tiny FP16"} <= set(names)
    assert "gate: keep 97.00 %" in written


def test_several_targets_are_named_beside_the_marks(report):
    other = [one.model_copy(update={"runtime": "openvino"}) for one in report.variants if one.precision == "int8"]
    written = texts(tradeoff.svg(report.model_copy(update={"variants": (*report.variants, *other)}), width=1000))
    names = {text.split(",")[0] for text in written}
    assert {"tiny ONNX Runtime INT8", "tiny OpenVINO INT8"} <= names


@pytest.mark.parametrize("width", [356, 760])
def test_no_name_of_a_legend_is_cut(report, width):
    recipe = "a_recipe_of_quantization_with_a_name"
    several = tuple(
        one.model_copy(update={"recipe": recipe, "runtime": "onnxruntime-mobile"}) for one in report.variants
    )
    drawn = tradeoff.svg(report.model_copy(update={"variants": (*report.variants, *several)}), width=width)
    assert f"ONNX Runtime Mobile INT8 ({recipe})" in texts(drawn) or width < 600
    assert {"ONNX Runtime FP32", "PyTorch FP32"} <= set(texts(drawn))
    wide = float(re.search('<svg[^>]* width="([0-9.]+)"', drawn)[1])
    assert wide <= 1.15 * width


def test_the_pareto_line_is_drawn_and_named(report, drawn):
    assert "Pareto line" in texts(drawn)
    assert "On the Pareto line, fastest first: tiny ONNX Runtime INT8, " in drawn.split(">", 1)[0]


def test_each_export_has_a_mark_of_its_own(report):
    assert len(tradeoff._SHAPES) == len(set(tradeoff._SHAPES))
    legend = {"PyTorch FP32", "ONNX Runtime FP32", "ONNX Runtime FP16", "ONNX Runtime INT8", "teacher", "small", "tiny"}
    for width in (1000, 356):
        assert legend <= set(texts(tradeoff.tradeoff(report, width=width)))


def test_every_colour_has_a_dark_counterpart(report, drawn):
    style, rest = drawn.split("</style>")
    more = curves.curves(report) + layers.layers(report.structures["tiny"])
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
    drawn = tradeoff.svg(report.model_copy(update={"variants": (report.variants[0], nasty)}))
    assert "<script" not in drawn
    assert any("<script>x</script>" in text for text in texts(drawn))


def test_nothing_timed_is_no_picture(report):
    bare = tuple(variant.model_copy(update={"latency": ()}) for variant in report.variants)
    assert tradeoff.svg(report.model_copy(update={"variants": bare})) == ""
    assert curves.curves(report.model_copy(update={"stages": ()})) == ""


def test_a_gate_on_the_median_is_drawn(report):
    gated = report.model_copy(update={"gate": Gate(latency=LatencyGate(p50_ms=5))})
    assert "gate: 5.00 ms" in texts(tradeoff.svg(gated))


def test_one_variant_alone_can_be_drawn(report):
    assert "teacher FP32, 90.9 MB" in texts(tradeoff.svg(report.model_copy(update={"variants": report.variants[:1]})))
