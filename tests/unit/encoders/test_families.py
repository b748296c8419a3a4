import os
import subprocess
import sys

import pytest
import tiny
import torch
from transformers import AutoConfig, AutoModel

from compress.config.settings import Architecture
from compress.encoders import checkpoint, families, modules, widths
from compress.encoders.surgery import Masks, cut
from compress.errors import InputError
from compress.files import read_json


def test_importing_the_table_does_not_import_torch() -> None:
    names = ("families", "modules", "source", "widths")
    code = f"import sys, {', '.join(f'compress.encoders.{name}' for name in names)}; print(sorted({{'torch', 'transformers', 'huggingface_hub'}} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert seen.stdout.strip() == "[]"


def test_an_unknown_architecture_is_refused_with_the_way_to_add_it() -> None:
    with pytest.raises(
        InputError, match=r"`bart` is not known. Known: albert, bert, .* row in compress/encoders/families.py"
    ):
        families.family_of(AutoConfig.for_model("bart"))


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("albert", "num_hidden_groups", 2),
        ("bert", "is_decoder", True),
        ("roberta", "position_embedding_type", "relative_key"),
    ],
)
def test_a_variant_that_the_row_does_not_cover_is_refused(family: str, key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"`{key}: {value}` is not supported"):
        families.family_of(AutoConfig.for_model(family, **{key: value}))


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("deberta-v2", "conv_kernel_size", 3),
        ("deberta-v2", "type_vocab_size", 2),
        ("deberta-v2", "share_att_key", None),
        ("deberta-v2", "relative_attention", False),
    ],
)
def test_a_key_that_must_be_there_is_missed(family: str, key: str, value: object) -> None:
    entry = {**tiny.model(family).config.to_dict(), key: value}
    if value is None:
        del entry[key]
    with pytest.raises(InputError, match=f"a {family} model with `{key}: {value}` is not supported"):
        families.stored(entry)


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_stored_config_is_read_as_the_loaded_one(family: str) -> None:
    config = tiny.model(family).config
    stored = families.stored(config.to_dict())
    assert widths.shape_of(stored) == widths.shape_of(config)
    assert widths.max_length(stored) == widths.max_length(config)
    with pytest.raises(InputError, match="the architecture `None` is not known"):
        families.stored({})


def test_a_bare_encoder_has_a_pooler_and_no_classifier() -> None:
    bare = AutoModel.from_config(tiny.model("bert").config)
    assert modules.base(bare) is bare
    assert modules.pooler(bare) is bare.pooler.dense
    assert modules.classifier(bare) == []
    assert len(modules.parts(bare)) == 2


def test_an_equal_embedding_width_follows_the_hidden_width_and_another_one_stays() -> None:
    narrow = Architecture(hidden=16)
    same = AutoConfig.for_model("electra", embedding_size=32, hidden_size=32, num_attention_heads=4)
    other = AutoConfig.for_model("electra", embedding_size=8, hidden_size=32, num_attention_heads=4)
    assert widths.configured(same, narrow).embedding_size == 16
    assert widths.configured(other, narrow).embedding_size == 8


def test_what_the_architecture_leaves_out_is_the_teachers() -> None:
    config = tiny.model("distilbert", labels=5).config
    student = widths.configured(config, Architecture(layers=1))
    assert widths.shape_of(student) == (1, 32, (4,), (64,))
    assert (student.num_labels, student.vocab_size) == (5, config.vocab_size)
    assert widths.configured(config, Architecture()).to_dict() == config.to_dict()


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="`hidden: 30` is not a multiple of `heads: 4`"):
        widths.configured(tiny.model().config, Architecture(hidden=30))


def pruned_config(**changes: object):
    config = tiny.model().config
    config.compress = {"heads": [[0, 2], [3]], "neurons": [64, 5], "head_size": 8} | changes
    return config


def test_the_shape_of_a_pruned_model_is_uneven() -> None:
    assert widths.shape_of(pruned_config()) == (2, 32, (2, 1), (64, 5))
    assert widths.pruned_of(pruned_config()) == (((0, 2), (3,)), (64, 5), 8, None)
    assert widths.pruned_of(pruned_config(heads=[[], [3]], embedding_rank=9)) == (((), (3,)), (64, 5), 8, 9)
    assert widths.head_size(pruned_config()) == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"heads": [[0, 2]]},
        {"heads": [[0], [4]]},
        {"heads": [[1, 0], [2]]},
        {"heads": [[1, 1], [2]]},
        {"neurons": [64, -1]},
        {"neurons": [65, 1]},
        {"neurons": [64]},
        {"head_size": 0},
        {"embedding_rank": 0},
    ],
)
def test_a_compress_entry_that_does_not_fit_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="does not fit a bert model of 2 layers"):
        widths.pruned_of(pruned_config(**changes))


def test_a_cut_models_file_is_read_without_transformers(tmp_path) -> None:
    model = tiny.model("electra")
    full = Masks.full(model)
    small = cut(model, Masks((torch.arange(4) > 1, *full.heads[1:]), full.neurons))
    checkpoint.save(small, tmp_path)
    stored = families.stored(read_json(tmp_path / "config.json"))
    assert stored.model_type == "electra"
    assert widths.shape_of(stored) == widths.shape_of(small.config)
    assert widths.pruned_of(stored) == widths.pruned_of(small.config)
    assert widths.max_length(stored) == 64
    with pytest.raises(InputError, match="the architecture `None` is not known"):
        families.stored({"model_type": "compress", "encoder": {}})


@pytest.mark.parametrize("changes", [{"heads": 3}, {"neurons": ["x", "y"]}, {"head_size": None}])
def test_a_compress_entry_that_cannot_be_read_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"`compress` entry of config\.json cannot be read"):
        widths.pruned_of(pruned_config(**changes))


@pytest.mark.parametrize("asked", [{}, {"layers": 1}])
def test_a_pruned_model_gives_no_student_its_shape(asked: dict[str, int]) -> None:
    with pytest.raises(InputError, match="cannot take its shape from a pruned teacher"):
        widths.configured(pruned_config(), Architecture(**asked))


def test_roberta_loses_the_positions_up_to_its_padding_id() -> None:
    config = AutoConfig.for_model("roberta", max_position_embeddings=514)
    assert widths.max_length(config) == 512
    assert widths.max_length(AutoConfig.for_model("mpnet", max_position_embeddings=514, pad_token_id=0)) == 512
    assert widths.max_length(AutoConfig.for_model("modernbert")) == 8192
    assert widths.max_length(tiny.model("deberta-v2").config) > 10**9
    assert widths.max_length(AutoConfig.for_model("bert", max_position_embeddings=512)) == 512


def test_a_shared_layer_is_counted_each_time_in_the_shape_and_once_in_the_modules() -> None:
    model = tiny.model("albert", layers=3)
    assert widths.shape_of(model.config).heads == (4, 4, 4)
    assert len(modules.layers(model)) == 1
    assert widths.calls(model.config) == 3


def test_tiny_batches_have_padding_and_repeat() -> None:
    model = tiny.model("roberta")
    batch = tiny.batch(model)
    assert batch["attention_mask"].sum(1).tolist() == [8, 7, 6]
    assert (batch["input_ids"] == 1).sum().item() == 3
    assert all(torch.equal(batch[name], again) for name, again in tiny.batch(model).items())
