import os
import subprocess
import sys

import pytest
import tiny
import torch
from transformers import AutoConfig

from compress.encoders import checkpoint, families, widths
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


def test_tiny_batches_have_padding_and_repeat() -> None:
    model = tiny.model("roberta")
    batch = tiny.batch(model)
    assert batch["attention_mask"].sum(1).tolist() == [8, 7, 6]
    assert (batch["input_ids"] == 1).sum().item() == 3
    assert all(torch.equal(batch[name], again) for name, again in tiny.batch(model).items())
