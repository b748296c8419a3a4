import tiny
from transformers import AutoModel

from compress.encoders import modules, widths


def test_a_bare_encoder_has_a_pooler_and_no_classifier() -> None:
    bare = AutoModel.from_config(tiny.model("bert").config)
    assert modules.base(bare) is bare
    assert modules.pooler(bare) is bare.pooler.dense
    assert modules.classifier(bare) == []
    assert len(modules.parts(bare)) == 2


def test_a_shared_layer_is_counted_each_time_in_the_shape_and_once_in_the_modules() -> None:
    model = tiny.model("albert", layers=3)
    assert widths.shape_of(model.config).heads == (4, 4, 4)
    assert len(modules.layers(model)) == 1
    assert widths.calls(model.config) == 3
