"""Units that reach through the whole model: hidden dimensions, and the rank of the word embeddings."""

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from compress.encoders.families import family_of, paths, unprojected
from compress.encoders.modeling_compress import FactoredEmbedding, factor
from compress.encoders.modules import base, embeddings, parts
from compress.encoders.projection import project
from compress.encoders.surgery import record, shaped
from compress.encoders.widths import Pruned, calls, head_size, pruned_of
from compress.errors import InputError

RARE = 1.0
"""What is added to how often a token occurs, so that tokens that training never saw keep some of their meaning."""


def narrowed(model: PreTrainedModel, hidden: int, batches: Iterable[Mapping[str, Tensor]]) -> PreTrainedModel:
    """A copy of a model whose hidden states have only `hidden` dimensions; heads and neurons stay as they are.

    The dimensions are the principal directions of its states on the batches, and what lies behind them is corrected
    (see `projection.project`). SST-2, three layers of 384 without training: 87.2 % at 256 and 86.5 % at 160, of 88.7 %;
    dropping the dimensions of smallest mean activation, corrected in the same way, leaves 85.6 and 80.4 %.
    Raises: InputError if its states are not wider than that, if its family cannot be projected, if a block of it is gone,
    or if there is no batch
    """
    row, config = family_of(model), copy.deepcopy(model.config)
    width = int(getattr(config, row.hidden_key))
    if reason := unprojected(row):
        raise InputError(reason)
    if hidden >= width:
        raise InputError(f"its hidden states are {width} wide, so they cannot be cut to {hidden}.")
    follow = (row.embedding_key, row.spare_embedding_key) if embeddings(model).projection is None else ()
    for key in (row.hidden_key, *row.follows, *follow):
        if key and hasattr(config, key):
            setattr(config, key, hidden)
    if row.rotary:  # the widths of its turns
        config.head_dim = head_size(model.config)
    return _projected(model, config, batches)


def factored(
    model: PreTrainedModel, rank: int, counts: Tensor, batches: Iterable[Mapping[str, Tensor]]
) -> PreTrainedModel:
    """A copy of a model whose word embeddings are of a lower rank.

    The table (tokens, width) becomes (tokens, rank) times (rank, width): the best by least squares over its rows, each
    weighed by how often its token occurs. Where a projection stands behind the embeddings anyway (ALBERT, small
    ELECTRA), their width becomes the rank instead.

    Shapes: counts (tokens,): how often each occurs in the training rows
    Raises: InputError if the rank is not below the embeddings' width (or their rank now); else as `narrowed`
    """
    row, found = family_of(model), embeddings(model)
    width = found.word.embedding_dim  # of a factored table its rank
    if rank >= width:
        raise InputError(f"its word embeddings are of rank {width}, so they cannot be cut to {rank}.")
    if found.projection is not None and row.embedding_key is not None:
        config = copy.deepcopy(model.config)
        setattr(config, str(row.embedding_key), rank)
        return _projected(model, config, batches)
    result, whole = copy.deepcopy(model), _whole(model)
    with torch.no_grad():
        first, second = _factors(_rows(found.word), counts.to(model.device) + RARE, rank)
        table = factor(base(result), paths(row), rank)
        table.weight.copy_(first)
        table.projection.weight.copy_(second)
    table.to(model.device, model.dtype).train(model.training)
    record(result, whole._replace(embedding_rank=rank))
    return result


def _rows(word: nn.Embedding) -> Tensor:
    """The embeddings themselves (tokens, width), multiplied out if they are factored."""
    if isinstance(word, FactoredEmbedding):
        return word.weight @ word.projection.weight.T
    return word.weight


def _factors(rows: Tensor, weights: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(tokens, rank) and (width, rank), the Linear's weight: an SVD of the weighed rows, by their second moments."""
    wide = rows.double()
    basis = torch.linalg.eigh((wide * weights[:, None]).T @ wide)[1].flip(1)[:, :rank]
    return wide @ basis, basis


def _projected(
    model: PreTrainedModel, config: PreTrainedConfig, batches: Iterable[Mapping[str, Tensor]]
) -> PreTrainedModel:
    """The model in the widths of another config, its heads and neurons as they are."""
    whole = _whole(model)
    if whole.unwhole:
        raise InputError(whole.unwhole)
    made = shaped(type(model), config, whole, model.config._attn_implementation)
    made.to(model.device)  # type: ignore[arg-type]
    project(made, model, range(calls(config)), batches)
    made.train(model.training)
    return made


def _whole(model: PreTrainedModel) -> Pruned:
    """What the config records, or that nothing was cut: then heads keep the width they have now."""
    config = model.config
    size = head_size(config)
    return pruned_of(config) or Pruned(
        heads=tuple(tuple(range(part.query.out_features // size)) for part in parts(model)),
        neurons=tuple(part.up.out_features for part in parts(model)),
        head_size=size,
    )
