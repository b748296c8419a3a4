import xml.etree.ElementTree as ElementTree

import pytest
import sample

from compress.report.pages.pictures import layers
from compress.report.structure import Layer, Structure


@pytest.mark.parametrize("width", [356, 1000])
def test_each_layer_says_what_is_left(width):
    drawn = layers.layers(sample.record(rows=60).structures["small"], width=width).replace("<svg", "<svg xmlns='x'", 1)
    written = [element.text for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("text")]
    assert "attention heads: 62 of 72 left" in written
    assert {"layer 1", "9 of 12", "760 of 1\u202f536"} <= set(written)
    gone = Structure(layers=(Layer(heads=0, neurons=0),), of=Layer(heads=0, neurons=0))
    assert layers.layers(gone, width=width)


def test_a_student_without_layers_has_no_picture():
    assert layers.layers(Structure(layers=(), of=Layer(heads=4, neurons=64))) == ""
