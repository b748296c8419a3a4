import pytest
import tiny
from transformers import AutoConfig

from compress.config.settings import Architecture
from compress.encoders import widths
from compress.errors import InputError


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
