"""Every unit that can be cut, out of every family: blocks, hidden dimensions, the rank of word embeddings, heads, neurons."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import graphs
import numpy
import onnx
import pytest
import tiny
import torch
from torch import Tensor
from torch.testing import assert_close
from transformers import PreTrainedModel

from compress.encoders import checkpoint, families, modules, widths
from compress.encoders.capture import capture
from compress.encoders.graph import export_graph, read_graph
from compress.encoders.reduction import factored, narrowed
from compress.encoders.surgery import Masks, cut

EVERY = pytest.mark.parametrize("family", tiny.CUTTABLE)
LAYERS, HIDDEN, RANK = 3, 20, 6


@cache
def model(family: str) -> PreTrainedModel:
    return tiny.model(family, layers=LAYERS, intermediate=12)


def batches(built: PreTrainedModel) -> list[dict[str, Tensor]]:
    return [tiny.batch(built, rows=16, length=9)]


def counts(built: PreTrainedModel) -> Tensor:
    return torch.bincount(batches(built)[0]["input_ids"].flatten(), minlength=built.config.vocab_size)


@cache
def small(family: str) -> PreTrainedModel:
    """Narrower, its word embeddings of a lower rank, uneven, a layer without attention and one without neurons."""
    built = narrowed(model(family), HIDDEN, batches(model(family)))
    built = factored(built, RANK, counts(built), batches(built))
    full = Masks.full(built)
    heads = [torch.arange(4) > layer % 2 for layer in range(len(full.heads))]
    neurons = [torch.arange(12) % 2 == 0 for _ in full.neurons]
    if len(heads) > 1:
        neurons[-1] = torch.zeros(12, dtype=torch.bool)
    heads[0] = torch.zeros(4, dtype=torch.bool)
    return cut(built, Masks(tuple(heads), tuple(neurons)))


def answers(built: PreTrainedModel) -> Tensor:
    with torch.no_grad():
        return built(**tiny.batch(built)).logits


@EVERY
def test_the_config_says_what_was_cut(family: str) -> None:
    built = small(family)
    found, pruned = widths.shape_of(built.config), widths.pruned_of(built.config)
    assert found.hidden == HIDDEN
    assert pruned is not None
    assert pruned.head_size == widths.head_size(built.config) == 8
    assert pruned.heads[0] == ()
    assert found.heads[0] == 0
    word = modules.embeddings(built).word
    assert word.weight.shape == (tiny.VOCABULARY, RANK)
    assert (pruned.embedding_rank is None) == (modules.embeddings(built).projection is not None)
    assert widths.shape_of(model(family).config).hidden == 32
    for parts, heads, neurons in zip(modules.parts(built), pruned.heads, pruned.neurons, strict=True):
        assert (parts.query.out_features, parts.output.in_features) == (8 * len(heads), 8 * len(heads))
        assert (parts.up.out_features, parts.down.in_features) == (neurons, neurons)


@EVERY
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_it_survives_the_disk_trains_on_and_is_cut_again(family: str, attention: str, tmp_path: Path) -> None:
    checkpoint.save(small(family), tmp_path)
    loaded = checkpoint.load(tmp_path, attention=attention)
    assert_close(answers(loaded), answers(small(family)))
    assert loaded.config.compress == small(family).config.compress
    loss = loaded(**tiny.batch(loaded), labels=torch.tensor([0, 1, 2])).loss
    loss.backward()
    missed = [name for name, weight in loaded.named_parameters() if weight.grad is None]
    # A norm that stands before a block has no reader once the block is gone.
    assert all("norm" in name for name in missed) if families.family_of(loaded).pre_norm else missed == []
    full = Masks.full(loaded)
    less = [torch.arange(len(mask)) > 0 if len(mask) > 1 else mask for mask in full.neurons]
    again = cut(loaded, Masks(full.heads, tuple(less)))
    assert checkpoint.parameters(again) < checkpoint.parameters(loaded)
    checkpoint.save(again, tmp_path / "again")
    assert_close(answers(checkpoint.load(tmp_path / "again")), answers(again))


@EVERY
def test_nothing_of_a_gone_block_is_computed(family: str) -> None:
    built, called = small(family), []
    for index, parts in enumerate(modules.parts(built)):
        for name in ("query", "up"):
            getattr(parts, name).register_forward_hook(lambda *_, where=(index, name): called.append(where))
    answers(built)
    pruned = widths.pruned_of(built.config)
    assert pruned is not None
    assert (0, "query") not in called
    assert checkpoint.parameters(built) == sum(weight.numel() for weight in built.state_dict().values())
    assert all(weight.numel() for weight in built.state_dict().values())


@pytest.mark.parametrize("relations", [False, True])
@EVERY
def test_what_is_captured_of_a_layer_without_heads_is_empty(family: str, relations: bool) -> None:
    with capture(
        small(family), hidden_states=True, attention_scores=True, relations=relations, embeddings=True
    ) as captured:
        answers(small(family))
    heads = widths.shape_of(small(family).config).heads
    assert [query.shape for query in captured.queries] == [(3, number, 8, 8) for number in heads]
    assert [key.shape for key in captured.keys] == [(3, number, 8, 8) for number in heads]
    assert [value.shape for value in captured.values] == [(3, number, 8, 8) for number in heads if relations]
    assert [state.shape for state in captured.hidden_states] == [(3, 8, HIDDEN)] * LAYERS


@EVERY
def test_the_graph_answers_as_the_model_and_holds_nothing_empty(family: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_graph(small(family), path)
    for rows, length in ((1, 1), (3, 7)):
        batch = graphs.feeds(family, rows, length)
        expected = graphs.expected(small(family), batch)
        numpy.testing.assert_allclose(graphs.answers(path, batch), expected, atol=2e-6)
    graph = read_graph(path).graph
    assert all(0 not in weight.dims for weight in graph.initializer)
    attending = sum(1 for heads in widths.shape_of(small(family).config).heads if heads)
    assert sum(node.op_type == "Softmax" for node in graph.node) == attending
    assert onnx.checker.check_model(read_graph(path)) is None


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What transformers makes of each family's folder where compress is not there."""
    home = tmp_path_factory.mktemp("plain")
    for family in tiny.CUTTABLE:
        checkpoint.save(small(family), home / family)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    made = subprocess.run(
        [
            sys.executable,
            "-I",
            Path(__file__).parents[1] / "plain.py",
            *(home / family for family in tiny.CUTTABLE),
        ],
        capture_output=True,
        text=True,
        env=environment | {"HF_HOME": str(home / "hub"), "HF_HUB_OFFLINE": "1"},
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return {Path(name).name: found for name, found in json.loads(made.stdout.splitlines()[-1]).items()}


@EVERY
def test_transformers_loads_it_without_this_program(family: str, plain: dict[str, Any]) -> None:
    found = plain[family]
    with torch.no_grad():
        expected = small(family)(input_ids=torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 2, 3]])).logits
    for way in ("logits", "eager", "again"):
        assert_close(torch.tensor(found[way]), expected)
    assert found["files"] == ["config.json", "model.safetensors", "modeling_compress.py"]
    assert found["same"]
    assert found["hidden"] == [[2, 5, HIDDEN], HIDDEN]
    assert found["trained"]
    assert found["longer"]
    assert found["labels"] == list(small(family).config.id2label.values())


@EVERY
def test_no_other_way_takes_it_for_something_else(family: str, plain: dict[str, Any]) -> None:
    refused = plain[family]["refused"]
    for way, said in refused.items():
        assert said != "loaded", way
        assert "trust_remote_code=True" in said, way
    assert {way for way, said in refused.items() if "compress.load" in said} == {
        way for way in refused if way.startswith("its")
    }
