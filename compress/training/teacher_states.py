"""The teacher's inner states on all training rows, computed once and kept on disk in half precision."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from compress import units
from compress.data.batches import Encoded, feeds
from compress.encoders.capture import Captured, capture
from compress.encoders.families import family_of
from compress.store import seal
from compress.training.devices import first_alone, place
from compress.training.history import Notify, quiet
from compress.training.precision import Precision, autocast, repeatable
from compress.training.predictions import SIZE

STATES = "states.bin"
LOGITS = "states-logits.bin"
SEAL = "states.seal"
PART = 8
"""Batches between two marks that a computation goes on from."""
_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Piece:
    """One tensor of `Captured`, as it stands beside the others in the row of a token."""

    name: str
    """A field of `Captured`."""
    layer: int | None
    """Its place in the field's list; None for a field that is no list."""
    width: int
    """Numbers a token."""
    heads: int | None
    """If it has heads, how many: the tensor is (rows, heads, tokens, width / heads), else (rows, tokens, width)."""


class States:
    """The stored states, as `Captured` has them, row by row: each read straight from the disk.

    On disk the tokens of all rows stand one after the other, shortest rows first; a token is its pieces side by side.
    """

    def __init__(self, folder: Path, pieces: list[Piece], rows: Encoded) -> None:
        self.pieces = pieces
        self.width = sum(piece.width for piece in pieces)
        self.lengths = rows.lengths
        self.numbers = np.arange(len(rows)) if rows.numbers is None else rows.numbers
        self.rows = np.zeros(int(self.numbers.max()) + 1, np.int64)  # of each number
        self.rows[self.numbers] = np.arange(len(rows))
        self.places, self.left = _places(rows.lengths), rows.left
        self.stored = np.memmap(folder / STATES, np.float16, "r", shape=(int(rows.lengths.sum()), self.width))
        self.answered = np.fromfile(folder / LOGITS, np.float32).reshape(len(rows), -1)

    def answers(self, count: int) -> Tensor:
        """What the teacher answered meanwhile: (count, classes) fp32 on the processor.

        The rows are a part of `count`, or all of them; NaN on the others.
        """
        found = np.full((count, self.answered.shape[1]), np.nan, np.float32)
        found[self.numbers] = self.answered[np.argsort(_order(self.lengths))]
        return torch.from_numpy(found)

    def __call__(self, index: Tensor, mask: Tensor) -> Captured:
        """The inside of the teacher on a batch; padding is zero, layers that are not stored are empty.

        Shapes: index (n,), mask (n, tokens) -> as `Captured`, fp32 on the mask's device
        """
        numbers, real = self.rows[index.cpu().numpy()].tolist(), mask.bool().cpu().numpy()
        batch = np.zeros((len(numbers), mask.size(1), self.width), np.float16)
        for position, row in enumerate(numbers):
            length, begin = self.lengths[row], self.places[row]
            batch[position, real[position]] = self.stored[begin : begin + length]
        whole = torch.from_numpy(batch).to(mask.device).float()
        inside, widths = Captured(read=-1 if self.left else 0), [piece.width for piece in self.pieces]
        for piece, part in zip(self.pieces, torch.split(whole, widths, dim=-1), strict=True):
            tensor = part if piece.heads is None else part.view(*part.shape[:2], piece.heads, -1).transpose(1, 2)
            if piece.layer is None:
                setattr(inside, piece.name, tensor)
            else:
                known: list[Tensor] = getattr(inside, piece.name)
                known += [tensor.new_empty(0)] * (piece.layer - len(known)) + [tensor]
        return inside


def cached_states(
    teacher: PreTrainedModel,
    rows: Encoded,
    folder: Path,
    inner: Mapping[str, bool],
    layers: Collection[int],
    budget_bytes: float,
    notify: Notify = quiet,
    *,
    precision: Precision = "fp32",
) -> tuple[States | None, str]:
    """The teacher's inner states on the rows, those of its `layers`, and what is to be said of them.

    `inner` are the arguments of `capture`. The folder belongs to one teacher, one set of rows and one choice of these.
    The size is told before anything is computed; None if it is above the budget or does not fit on the disk. What was
    computed before an interruption is not computed again.
    """
    here = place()
    with first_alone(), repeatable(here.device, precision):
        before = teacher.device
        teacher.to(here.device).eval()
        try:
            pieces = _pieces(_ask(teacher, next(feeds(rows, 1))[1], inner, precision)[0], layers)
            size = 2 * int(rows.lengths.sum()) * sum(piece.width for piece in pieces)
            path = folder / STATES
            said = f"the teacher's inner states on {len(rows):,} rows take {units.size(size)}"
            there = path.stat().st_size if path.is_file() else 0
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free + there
            if size > min(budget_bytes, free):
                limit = f"`cache.budget_gb` allows {units.size(budget_bytes)}"
                limit = limit if size > budget_bytes else f"{units.size(free)} are free on the disk"
                return None, f"{said}, {limit}: the teacher runs beside the student"
            told = seal.kept(folder / SEAL, notify) or {"batches": 0, "tokens": 0, "rows": 0}
            if told["rows"] < len(rows):
                notify(0, 0, f"{said}, on disk while the student is trained")
                _compute(teacher, rows, folder, pieces, inner, notify, precision, told)
        finally:
            teacher.to(before)  # type: ignore[arg-type]
    return States(folder, pieces, rows), f"{said} and were stored"


def _compute(
    teacher: PreTrainedModel,
    rows: Encoded,
    folder: Path,
    pieces: list[Piece],
    inner: Mapping[str, bool],
    notify: Notify,
    precision: Precision,
    told: Mapping[str, int],
) -> None:
    """Append the states of batch after batch to the file; the seal, which `told` is of, says up to where they are whole."""
    width, classes = sum(piece.width for piece in pieces), int(teacher.config.num_labels or 0)
    batches, tokens, seen = told["batches"], told["tokens"], told["rows"]
    with (
        _Growing(folder / STATES, 2 * tokens * width) as states,
        _Growing(folder / LOGITS, 4 * seen * classes) as logits,
    ):
        for number, (chosen, feed) in enumerate(feeds(rows, SIZE), 1):
            if number <= batches:
                continue
            inside, answers = _ask(teacher, feed, inner, precision)
            found = _flat(inside, pieces)[feed["attention_mask"].astype(bool)]
            states.write(found)
            logits.write(answers.float().cpu().numpy())
            tokens, seen = tokens + len(found), seen + len(chosen)
            if number % PART == 0 or seen == len(rows):
                files = {STATES: states.facts(), LOGITS: logits.facts()}
                seal.write(folder / SEAL, {"batches": number, "tokens": tokens, "rows": seen, "files": files})
            notify(seen, len(rows), "the teacher's inner states")


class _Growing:
    """A file that is gone on with behind its first `size` bytes, and the digest of what is in it."""

    def __init__(self, path: Path, size: int) -> None:
        self.stream = path.open("r+b" if size else "w+b")
        self.stream.truncate(size)
        self.digest = hashlib.file_digest(self.stream, "sha256")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def write(self, numbers: NDArray[Any]) -> None:
        self.digest.update(numbers.data)
        self.stream.write(numbers.data)

    def facts(self) -> dict[str, Any]:
        """What a seal says of the file, which is brought to the disk."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        return {"size": self.stream.tell(), "sha256": self.digest.hexdigest(), "grows": True}


def _ask(
    teacher: PreTrainedModel, feed: Mapping[str, NDArray[np.int64]], inner: Mapping[str, bool], precision: Precision
) -> tuple[Captured, Tensor]:
    """What happens inside the teacher on a batch, and its logits."""
    inputs = {
        name: torch.from_numpy(feed[name]).to(teacher.device) for name in family_of(teacher).inputs if name in feed
    }
    with torch.no_grad(), autocast(teacher.device, precision), capture(teacher, **inner) as inside:
        logits: Tensor = teacher(**inputs)["logits"]
    return inside, logits


def _pieces(inside: Captured, layers: Collection[int]) -> list[Piece]:
    """The tensors that were captured, of layers that are read."""
    found = []
    for each in fields(inside):
        value = getattr(inside, each.name)
        if isinstance(value, Tensor):
            found.append(_piece(each.name, None, value))
        elif isinstance(value, list) and value:
            found += [_piece(each.name, layer, value[layer]) for layer in sorted(layers)]
    return found


def _piece(name: str, layer: int | None, tensor: Tensor) -> Piece:
    heads = tensor.size(1) if tensor.dim() == 4 else None
    return Piece(name, layer, tensor.size(-1) * (heads or 1), heads)


def _flat(inside: Captured, pieces: list[Piece]) -> NDArray[np.float16]:
    """The pieces of each token side by side: (rows, tokens, width)."""
    found = []
    for piece in pieces:
        value = getattr(inside, piece.name)
        tensor = value if piece.layer is None else value[piece.layer]
        found.append(tensor if piece.heads is None else tensor.transpose(1, 2).flatten(2))
    # What half precision does not reach, and became infinite, becomes its largest number.
    whole = torch.cat([tensor.half() for tensor in found], dim=-1).clamp_(-_LARGEST, _LARGEST)
    flat: NDArray[np.float16] = whole.cpu().numpy()
    return flat


def _order(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows as they were computed and stand in the file: rows of like length together."""
    return np.argsort(lengths, kind="stable")


def _places(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the tokens of each row begin in the file."""
    order = _order(lengths)
    places = np.empty(len(lengths), np.int64)
    places[order] = np.cumsum(lengths[order]) - lengths[order]
    return places
