"""The numbers of an encoder, as its config says them: layers, widths, positions. Importing this module imports no torch."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from compress.config.settings import Architecture
from compress.encoders.families import family_of
from compress.encoders.family import Family, unturned
from compress.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

PRUNED_TEACHER = "a student cannot take its shape from a pruned teacher. Take it from the model before the cut."


class Shape(NamedTuple):
    """The widths of an encoder. `heads` and `intermediate` have one number a layer; a shared layer is counted each time."""

    layers: int
    hidden: int
    heads: tuple[int, ...]
    intermediate: tuple[int, ...]


class Pruned(NamedTuple):
    """What a pruned model's config records under `compress`; one entry a layer module (a shared layer: one in all).

    A layer without heads has no attention block, one without neurons no feed-forward block.
    """

    heads: tuple[tuple[int, ...], ...]
    """The kept heads, numbered as in the model before any cut."""
    neurons: tuple[int, ...]
    """The kept feed-forward widths."""
    head_size: int
    """Width of one head."""
    embedding_rank: int | None = None
    """Rank of the word table, if it was factored."""

    @property
    def unwhole(self) -> str | None:
        """Why its states cannot be projected on fewer dimensions: a layer lost a block; None if none did."""
        for layer, (heads, neurons) in enumerate(zip(self.heads, self.neurons, strict=True)):
            if not heads or not neurons:
                return (
                    f"layer {layer} has no {'feed-forward' if heads else 'attention'} block, and only whole layers can be "
                    "projected on fewer dimensions. Leave it out, or ask for it before blocks are cut."
                )
        return None


def calls(config: PreTrainedConfig) -> int:
    """How many layers a forward pass goes through, a shared layer counted each time."""
    return int(getattr(config, family_of(config).layers_key))


def head_size(config: PreTrainedConfig) -> int:
    """Width of one attention head; a cut does not change it."""
    pruned = pruned_of(config)
    if pruned is not None:
        return pruned.head_size
    row = family_of(config)
    return int(getattr(config, row.hidden_key) // getattr(config, row.heads_key))


def lost_positions(row: Family, pad_id: int | None) -> int:
    """How many positions of the table no token has."""
    padding = (pad_id or 0) if row.padding is None else row.padding
    return padding + 1 if row.positions_after_padding else 0


def max_length(config: PreTrainedConfig) -> int:
    """The longest input, in tokens with the special ones, that the positions reach; `sys.maxsize` if nothing ends."""
    row = family_of(config)
    if row.position is None and not row.rotary:
        return sys.maxsize
    return int(config.max_position_embeddings) - (
        lost_positions(row, config.pad_token_id) if row.positions_after_padding else 0
    )


def pruned_of(config: PreTrainedConfig) -> Pruned | None:
    """What was cut, or None for an uncut model.

    Raises: InputError if the config's `compress` entry does not fit its layers.
    """
    entry = getattr(config, "compress", None)
    if entry is None:
        return None
    row = family_of(config)
    modules = 1 if row.shared_layers else calls(config)
    limits = (getattr(config, row.heads_key), getattr(config, row.intermediate_key))
    try:
        pruned = Pruned(
            heads=tuple(tuple(int(head) for head in kept) for kept in entry["heads"]),
            neurons=tuple(int(width) for width in entry["neurons"]),
            head_size=int(entry["head_size"]),
            embedding_rank=None if entry.get("embedding_rank") is None else int(entry["embedding_rank"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the `compress` entry of config.json cannot be read: {error!r}.") from error
    fits = (
        len(pruned.heads) == len(pruned.neurons) == modules
        and pruned.head_size >= 1
        and all(kept == tuple(sorted(set(kept) & set(range(limits[0])))) for kept in pruned.heads)
        and all(0 <= width <= limits[1] for width in pruned.neurons)
        and (pruned.embedding_rank is None or pruned.embedding_rank >= 1)
    )
    if not fits:
        raise InputError(
            f"the `compress` entry of config.json does not fit a {row.model_type} model of {modules} layers."
        )
    return pruned


def shape_of(config: PreTrainedConfig) -> Shape:
    """The widths that a config describes, after any cut."""
    row = family_of(config)
    count, pruned = calls(config), pruned_of(config)
    heads: tuple[int, ...] = (int(getattr(config, row.heads_key)),)
    neurons: tuple[int, ...] = (int(getattr(config, row.intermediate_key)),)
    if pruned is not None:
        heads, neurons = tuple(len(kept) for kept in pruned.heads), pruned.neurons
    times = count // len(heads)
    return Shape(count, int(getattr(config, row.hidden_key)), heads * times, neurons * times)


def embedding_width(config: PreTrainedConfig) -> int:
    """The width of the word embeddings; of factored ones the rank."""
    row, pruned = family_of(config), pruned_of(config)
    if pruned is not None and pruned.embedding_rank is not None:
        return pruned.embedding_rank
    spare = getattr(config, row.spare_embedding_key, None) if row.spare_embedding_key else None
    return int(getattr(config, row.embedding_key or row.hidden_key) if spare is None else spare)


def configured(
    config: PreTrainedConfig, architecture: Architecture, chosen: Sequence[int] | None = None
) -> PreTrainedConfig:
    """A copy of a teacher's config with another shape; what the architecture leaves out is the teacher's.

    What a config lists for each layer, such as local and global attention, follows the `chosen` teacher layers, of
    which there is one for each of the student's, or else begins as the teacher's does. An embedding width equal to the
    hidden width follows it; another one (ALBERT, small ELECTRA) stays.
    Raises: InputError if the heads do not divide the width or cannot be so wide, or if the teacher is pruned: classes make
    whole models only.
    """
    result = copy.deepcopy(config)
    row = family_of(config)
    keys = {
        "layers": row.layers_key,
        "hidden": row.hidden_key,
        "heads": row.heads_key,
        "intermediate": row.intermediate_key,
    }
    asked = {keys[name]: number for name, number in architecture.model_dump(exclude_none=True).items()}
    if pruned_of(config) is not None:
        raise InputError(PRUNED_TEACHER)
    if not asked:
        return result
    for key in (row.embedding_key, row.spare_embedding_key, *row.follows):
        if key and architecture.hidden and getattr(config, key, None) == getattr(config, row.hidden_key):
            asked[key] = architecture.hidden
    for key, number in asked.items():
        setattr(result, key, number)
    for key in row.one_a_layer:
        kinds, count = getattr(config, key), int(getattr(result, row.layers_key))
        taken = chosen if chosen and len(chosen) == count else range(count)
        setattr(result, key, [kinds[layer % len(kinds)] for layer in taken])
    hidden, heads = getattr(result, row.hidden_key), getattr(result, row.heads_key)
    if hidden % heads:
        raise InputError(
            f"`hidden: {hidden}` is not a multiple of `heads: {heads}`. Give both in the student's architecture."
        )
    if what := unturned(row, hidden, heads):
        raise InputError(what)
    if row.head_key and hasattr(result, row.head_key):
        setattr(result, row.head_key, hidden // heads)
    return result
