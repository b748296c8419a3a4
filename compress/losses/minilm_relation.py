"""Relations between tokens in queries, keys and values."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from compress.errors import ShapeMismatch
from compress.losses import loss

Layer = tuple[Tensor, Tensor, Tensor]

HEADS = 12
"""Relation heads where none are asked for and both widths allow them; those of the published students of BERT-base."""


@loss(reads="relations")
def minilm_relation(student: Layer, teacher: Layer, *, mask: Tensor, relation_heads: int | None = None) -> Tensor:
    """How differently the tokens of a row relate to each other in a student layer's queries, keys and values.

    Each of the three is split anew into relation heads, so that the models' widths and numbers of heads may differ.
    A relation is the softmax of the scaled dot products of a token with all real tokens. Compared by
    KL(teacher || student): the mean over real tokens and relation heads, the sum over queries, keys and values.
    Of the largest number of relation heads up to `relation_heads` (12 if left out) that divides both widths.

    Published for one layer: an explicit `layer_mapping` such as `[null, null, 5]`.

    Shapes: student and teacher 3 x (n, heads, tokens, size), mask (n, tokens), 0 = padding -> ()
    Units:  nats a token
    Zero:   when student == teacher at every real token, up to a rotation within each relation head
    Source: Wang et al. 2021 (MiniLMv2), arXiv:2012.15828, section 3.1; with values only MiniLM, arXiv:2002.10957
    Raises: ShapeMismatch if the numbers of rows or tokens differ
    """
    for name, own, other in zip(("queries", "keys", "values"), student, teacher, strict=True):
        places = (own.shape[0], own.shape[-2]), (other.shape[0], other.shape[-2])
        if places[0] != places[1]:
            raise ShapeMismatch(f"minilm_relation, {name}", own.shape, other.shape)
        if places[0] != tuple(mask.shape):
            raise ShapeMismatch(
                f"minilm_relation, {name}, attention mask in the teacher's place", own.shape, mask.shape
            )
    heads = split_heads(_width(student[0]), _width(teacher[0]), relation_heads)
    real = mask.bool()
    parts = [_divergence(own, other, real, heads) for own, other in zip(student, teacher, strict=True)]
    return torch.stack(parts).sum()


def split_heads(student_width: int, teacher_width: int, asked: int | None) -> int:
    """The largest number of relation heads up to the asked one that divides both widths."""
    common = math.gcd(student_width, teacher_width)
    return next(count for count in range(min(asked or HEADS, common), 0, -1) if common % count == 0)


def _width(states: Tensor) -> int:
    return states.shape[1] * states.shape[-1]


def _divergence(student: Tensor, teacher: Tensor, real: Tensor, heads: int) -> Tensor:
    """KL(teacher || student) of one kind of relations, the mean over real tokens and relation heads."""
    own, other = _relations(student, real, heads), _relations(teacher, real, heads)
    counts = real[:, None, :, None] & real[:, None, None, :]
    terms = torch.where(counts, other.exp() * (other - own), 0.0)
    return terms.sum() / (real.sum() * heads).clamp(min=1)


def _relations(states: Tensor, real: Tensor, heads: int) -> Tensor:
    """Shapes: states (n, heads, tokens, size), real (n, tokens) -> log probabilities (n, relation heads, tokens, tokens)"""
    rows, _, tokens, _ = states.shape
    # Zeroed before they are multiplied: what stands at padding reaches neither the value nor a gradient.
    clean = torch.where(real[:, None, :, None], states.float(), 0.0)
    split = clean.transpose(1, 2).reshape(rows, tokens, heads, -1).transpose(1, 2)
    scores = (split @ split.transpose(-1, -2)).float() * split.shape[-1] ** -0.5
    return functional.log_softmax(scores.masked_fill(~real[:, None, None, :], torch.finfo(torch.float32).min), dim=-1)
