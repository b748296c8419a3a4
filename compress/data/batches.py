"""Rows as token ids, and batches of them for models and for runtimes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress.config import settings
from compress.data.sources import Rows
from compress.data.truncation import Side, truncate_pair
from compress.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 8192
"""Rows tokenized at once: enough to keep all threads busy, few enough to answer Ctrl-C and to spare memory."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Tokenized rows with their labels: `len`, and a dict of one row's lists by number, as a PyTorch data set has them.

    The rows' tokens lie end to end in one array; row i takes `ids[starts[i]:starts[i + 1]]`.
    """

    ids: NDArray[np.int32]
    """(tokens,) of all rows, special ones included."""
    types: NDArray[np.int32] | None
    """(tokens,) number of the text each token belongs to, or None for models that do not ask."""
    starts: NDArray[np.int64]
    """(rows + 1,)"""
    labels: NDArray[np.int64]
    """(rows,) class numbers, UNLABELLED (-100) for none."""
    pad_id: int
    """The token that fills shorter rows of a batch."""
    left: bool = False
    """Whether shorter rows are filled on the left, for models whose head reads the last token."""
    numbers: NDArray[np.int64] | None = None
    """(rows,) the number of each among the rows that they are a part of; None for all of them."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(rows,) tokens of each row, special ones included."""
        return np.diff(self.starts)

    def number(self, row: int) -> int:
        """The number of a row among those that these are a part of."""
        return row if self.numbers is None else int(self.numbers[row])

    def part(self, rows: Sequence[int]) -> Encoded:
        """Some of the rows, which keep their numbers."""
        chosen = np.array(rows, np.int64)
        lengths = self.lengths[chosen]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], lengths)
        types = None if self.types is None else self.types[places]
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        return Encoded(self.ids[places], types, starts, self.labels[chosen], self.pad_id, self.left, numbers)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        row = range(len(self))[row]
        span = slice(self.starts[row], self.starts[row + 1])
        item: dict[str, Any] = {"input_ids": self.ids[span].tolist()}
        if self.types is not None:
            item["token_type_ids"] = self.types[span].tolist()
        return item | {"labels": int(self.labels[row])}


def encode(
    rows: Rows,
    tokenizer: PreTrainedTokenizerBase,
    task: settings.Task,
    *,
    token_types: bool | None = None,
    left: bool = False,
) -> Encoded:
    """Tokenize rows: at most `task.max_length` tokens each, what is too long cut as `task.truncation` says.

    `token_types` tells whether the model takes `token_type_ids`; if left out, the tokenizer's own inputs do.
    `left` tells whether batches of them are padded on the left.
    Raises: InputError if the tokenizer is not a fast one, reaches less far than `max_length`, or has no padding token
    """
    _check_tokenizer(tokenizer, task)
    if token_types is None:
        token_types = "token_type_ids" in tokenizer.model_input_names
    backend: Any = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    texts: Sequence[Any] = rows.texts if rows.pairs is None else list(zip(rows.texts, rows.pairs, strict=True))
    ids, types, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int32)], []
    for start in range(0, len(texts), CHUNK):
        for encoding in backend.encode_batch_fast(texts[start : start + CHUNK]):
            row, kinds = encoding.ids, encoding.type_ids if token_types else []
            if len(row) > task.max_length:
                kept = _kept(encoding.sequence_ids, task.max_length, task.truncation)
                row, kinds = [row[place] for place in kept], [kinds[place] for place in kept if kinds]
            ids.append(np.array(row, np.int32))
            types.append(np.array(kinds, np.int32))
            lengths.append(len(row))
    return Encoded(
        ids=np.concatenate(ids),
        types=np.concatenate(types) if token_types else None,
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        labels=np.array(rows.labels, np.int64),
        pad_id=int(tokenizer.pad_token_id),
        left=left,
    )


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, task: settings.Task) -> None:
    if not tokenizer.is_fast:
        raise InputError(f"the tokenizer {type(tokenizer).__name__} is not a fast one: it has no tokenizer.json.")
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer {type(tokenizer).__name__} has no padding token.")
    if task.max_length > tokenizer.model_max_length:
        raise InputError(
            f"task.max_length: {task.max_length} is more than the {tokenizer.model_max_length} tokens of the model."
        )
    special = tokenizer.num_special_tokens_to_add(pair=task.text_pair is not None)
    if task.max_length <= special:
        raise InputError(f"task.max_length: {task.max_length} leaves no room beside {special} special tokens.")


def _kept(sequence_ids: Sequence[int | None], limit: int, side: Side) -> list[int]:
    """The places of the tokens that stay: all special ones, and as many of each text as fit."""
    special, first, second = (
        [place for place, sequence in enumerate(sequence_ids) if sequence == wanted] for wanted in (None, 0, 1)
    )
    one, other = truncate_pair(first, second, limit - len(special), side)
    return sorted([*special, *one, *other])


def collate(features: Sequence[Mapping[str, Any]], pad_id: int, *, left: bool = False) -> dict[str, Tensor]:
    """Rows of an `Encoded` as one batch, padded to its longest row, on the right or on the left.

    Shapes: n rows -> input_ids, attention_mask, token_type_ids if the rows have them (n, tokens), labels (n,); all int64
    """
    lengths = np.array([len(row["input_ids"]) for row in features])
    names = [name for name in ("input_ids", "token_type_ids") if name in features[0]]
    flat = {name: np.concatenate([row[name] for row in features]) for name in names}
    batch = {name: torch.from_numpy(values) for name, values in _padded(flat, lengths, pad_id, left).items()}
    if "labels" in features[0]:
        batch["labels"] = torch.tensor([row["labels"] for row in features])
    return batch


def feeds(
    encoded: Encoded, size: int, *, order: Literal["length", "given"] = "length", limit: int | None = None
) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]]:
    """Batches for a runtime: the rows' numbers, and its inputs by name, padded to the longest row of the batch.

    Rows of like length come together unless the given order is asked for; `limit` takes only the first rows.

    Shapes: (n,), {input_ids, attention_mask, token_type_ids if the model takes them: (n, tokens)}; all int64
    """
    lengths = encoded.lengths[:limit]
    rows = np.argsort(lengths, kind="stable") if order == "length" else np.arange(len(lengths))
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        spans = [slice(encoded.starts[row], encoded.starts[row + 1]) for row in chosen]
        flat = {"input_ids": np.concatenate([encoded.ids[span] for span in spans])}
        if encoded.types is not None:
            flat["token_type_ids"] = np.concatenate([encoded.types[span] for span in spans])
        yield chosen, _padded(flat, lengths[chosen], encoded.pad_id, encoded.left)


def _padded(
    flat: Mapping[str, NDArray[Any]], lengths: NDArray[np.int64], pad_id: int, left: bool
) -> dict[str, NDArray[np.int64]]:
    """Rows that lie end to end, side by side: (tokens,) -> (rows, longest row)."""
    real = np.arange(lengths.max()) < lengths[:, None]
    real = real[:, ::-1] if left else real
    batch = {"input_ids": np.full(real.shape, pad_id, np.int64), "attention_mask": real.astype(np.int64)}
    if "token_type_ids" in flat:
        batch["token_type_ids"] = np.zeros(real.shape, np.int64)
    for name, values in flat.items():
        batch[name][real] = values
    return batch
