"""The linear algebra of narrowing: a Linear, a set of heads or neurons, a norm, made smaller with the least change.

All functions write into the student's parts. Rows of activations are real tokens, as the teacher saw them. Units that
the teacher lacks keep their random inputs and get no output, so that they have no effect before they are trained.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from compress.encoders.modules import Parts

RIDGE = 0.1
"""How strongly a corrected Linear holds on to its weights, in mean squares of its inputs."""


def principal(moments: Tensor, count: int) -> Tensor:
    """The `count` eigenvectors of largest eigenvalue of a symmetric (n, n) matrix, as columns (n, count)."""
    vectors = torch.linalg.eigh(moments.double())[1].flip(1)[:, :count]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return torch.mul(vectors, largest.sign()).float()


def uses(teacher: Parts, contexts: Tensor, basis: Tensor, size: int) -> Tensor:
    """How much of what each head adds to the states varies from token to token.

    Shapes: contexts (tokens, heads * size) what enters the output Linear; basis (teacher width, student width) -> (heads,)
    """
    out = (basis.T @ teacher.output.weight).view(basis.size(1), -1, size).transpose(0, 1)
    varying = (contexts - contexts.mean(0)).view(len(contexts), -1, size).transpose(0, 1)
    return (varying @ out.transpose(1, 2)).pow(2).sum((1, 2)) / len(contexts)


class Attended(NamedTuple):
    """What the attention of a teacher's layer saw."""

    states: Tensor
    """(tokens, teacher width) what queries, keys and values are made of."""
    contexts: Tensor
    """(tokens, teacher heads * head size) what enters the output Linear."""
    distances: Tensor | None = None
    """(distances, teacher width) what queries and keys are made of too (DeBERTa)."""


def narrow_attention(
    student: Parts,
    teacher: Parts,
    seen: Attended,
    basis: Tensor,
    sizes: tuple[int, int],
    taken: Sequence[int] | None = None,
) -> None:
    """Heads: the `taken`, or the ones whose output varies most, each cut to the student's head size.

    A head's queries meet its keys, and its values its output weights, only in products. Each product is replaced by
    the one of lower rank that answers nearest on these tokens: an SVD between the square roots of the two factors'
    covariances. What is the same for all keys drops out of the softmax; means go into the output's bias. Where queries
    and keys are made of distances too, which meet those of the tokens, they weigh as much as the tokens do.

    Shapes: basis (teacher width, student width); sizes: the head sizes of student and teacher
    """
    size, wide = sizes
    states, contexts = seen.states @ basis, seen.contexts
    beside = None if seen.distances is None else seen.distances @ basis
    queries, keys, values = (
        _Heads(linear.weight @ basis, linear.bias, wide) for linear in (teacher.query, teacher.key, teacher.value)
    )
    out = (basis.T @ teacher.output.weight).view(basis.size(1), -1, wide).transpose(0, 1)
    bias = basis.T @ teacher.output.bias
    means = contexts.mean(0).view(-1, wide)
    if taken is None:
        taken = largest(uses(teacher, contexts, basis, wide), student.query.out_features // size)
    student.key.weight.zero_()
    student.key.bias.zero_()
    student.output.weight.zero_()
    for head in range(len(out)):
        if head not in taken:
            bias = bias + out[head] @ means[head]
            continue
        start = taken.index(head) * size
        rows = slice(start, start + min(size, wide))
        query, key, value, back = queries[head], keys[head], values[head], out[head]
        if size < wide:
            query, key = _cut_scores(query, key, states, size, beside)
            value, back, shift = _cut_values(value, back, states, size)
            bias = bias + shift
        balance = (size / wide) ** 0.25
        for linear, (weight, offset), scale in (
            (student.query, query, balance),
            (student.key, key, balance),
            (student.value, value, 1.0),
        ):
            linear.weight[rows] = scale * weight
            linear.bias[rows] = scale * offset
        student.output.weight[:, rows] = back
    student.output.bias.copy_(bias)


Affine = tuple[Tensor, Tensor]
"""Weights (out, in) and bias (out,)."""


class _Heads:
    """The rows of a Linear, head by head."""

    def __init__(self, weight: Tensor, bias: Tensor, size: int) -> None:
        self.weight, self.bias = weight.view(-1, size, weight.size(1)), bias.view(-1, size)

    def __getitem__(self, head: int) -> Affine:
        return self.weight[head], self.bias[head]


def _cut_scores(
    query: Affine, key: Affine, states: Tensor, size: int, beside: Tensor | None = None
) -> tuple[Affine, Affine]:
    """Queries and keys of fewer dimensions. The keys' mean adds the same to all scores of a query and is left out; not
    so where a query that is made of a distance (`beside`) meets it."""
    asked = _moments(states @ query[0].T + query[1])
    offered = states @ key[0].T
    bias = torch.zeros_like(key[1])
    if beside is None:
        offered = _moments(offered - offered.mean(0))
    else:
        bias = key[1]
        asked = asked + _moments(beside @ query[0].T + query[1])
        offered = _moments(offered + bias) + _moments(beside @ key[0].T + bias)
    asked_root, asked_inverse = _roots(asked)
    offered_root, offered_inverse = _roots(offered)
    left, strength, right = torch.linalg.svd(asked_root @ offered_root)
    scale = strength[:size].sqrt()
    down = ((asked_inverse @ left[:, :size]) * scale).T.float()
    other = ((offered_inverse @ right[:size].T) * scale).T.float()
    return (down @ query[0], down @ query[1]), (other @ key[0], other @ bias)


def _cut_values(value: Affine, back: Tensor, states: Tensor, size: int) -> tuple[Affine, Tensor, Tensor]:
    """The value's rows, the output's columns, and what the values' mean adds to the output's bias."""
    given = states @ value[0].T
    mean = given.mean(0)
    root, inverse = _roots(_moments(given - mean))
    left, strength, right = torch.linalg.svd(back.double() @ root, full_matrices=False)
    scale = strength[:size].sqrt()
    down = ((scale[:, None] * right[:size]) @ inverse).float()
    return (down @ value[0], -(down @ mean)), (left[:, :size] * scale).float(), back @ (mean + value[1])


def _moments(rows: Tensor) -> Tensor:
    return (rows.T @ rows).double() / len(rows)


def _roots(moments: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of second moments, and its inverse."""
    values, vectors = torch.linalg.eigh(moments)
    values = values.clamp(min=1e-8 * float(values[-1]) + 1e-30)
    return (vectors * values.sqrt()) @ vectors.T, (vectors * values.rsqrt()) @ vectors.T


def narrow_neurons(student: Parts, teacher: Parts, activations: Tensor, basis: Tensor) -> None:
    """Feed-forward neurons: the ones whose output varies most; the mean of the others goes into the bias.

    Shapes: activations (tokens, teacher neurons) what enters the `down` Linear
    """
    out = basis.T @ teacher.down.weight
    taken = largest(activations.var(0, correction=0) * out.pow(2).sum(0), student.up.out_features)
    count, left_out = len(taken), _others(taken, out.size(1))
    student.up.weight[:count] = teacher.up.weight[taken] @ basis
    student.up.bias[:count] = teacher.up.bias[taken]
    student.down.weight.zero_()
    student.down.weight[:, :count] = out[:, taken]
    student.down.bias.copy_(basis.T @ teacher.down.bias + out[:, left_out] @ activations.mean(0)[left_out])


def narrow_head(
    student: Sequence[nn.Linear], teacher: Sequence[nn.Linear], seen: Sequence[tuple[Tensor, Tensor]], basis: Tensor
) -> list[Tensor]:
    """The Linears between the first token's state and the logits: of their units, the ones that count most.

    Shapes: seen: what goes in and out of each of the teacher's, (rows, in) and (rows, out)
    Returns: what each of the student's should put out, (rows, out)
    """
    goals = []
    read, constant = basis, torch.zeros(len(basis), device=basis.device)
    for place, (small, large) in enumerate(zip(student, teacher, strict=True)):
        taken = list(range(large.out_features))
        if place + 1 < len(teacher):
            inputs = seen[place + 1][0]
            taken = largest(inputs.var(0, correction=0) * teacher[place + 1].weight.pow(2).sum(0), small.out_features)
        small.weight.copy_((large.weight @ read)[taken])
        small.bias.copy_((large.bias + large.weight @ constant)[taken])
        goals.append(seen[place][1][:, taken])
        if place + 1 < len(teacher):
            read = torch.eye(large.out_features, device=basis.device)[:, taken]
            constant = inputs.mean(0)
            constant[taken] = 0
    return goals


def correct(linear: nn.Linear, inputs: Tensor, goal: Tensor) -> None:
    """Bring a Linear's outputs nearer to a goal by least squares, with a ridge around the weights it has.

    Shapes: inputs (rows, in), goal (rows, out)
    """
    mean, wanted = inputs.mean(0), goal.mean(0)
    centred = inputs - mean
    missing = goal - wanted - centred @ linear.weight.T
    moments = (centred.T @ centred).double()
    moments.diagonal().add_(RIDGE * moments.diagonal().mean() + 1e-12)
    linear.weight.add_(torch.linalg.solve(moments, (centred.T @ missing).double()).T.to(linear.weight))
    linear.bias.copy_(wanted - linear.weight @ mean)


def fit_norm(norm: nn.LayerNorm, inputs: Tensor, goal: Tensor) -> None:
    """Scale and shift each dimension of a norm so that what it puts out comes nearest to a goal.

    Shapes: inputs, goal (tokens, width)
    """
    plain = nn.functional.layer_norm(inputs, norm.normalized_shape, eps=norm.eps)
    mean, wanted = plain.mean(0), goal.mean(0)
    plain = plain - mean
    scale = (plain * (goal - wanted)).mean(0) / plain.pow(2).mean(0).clamp(min=1e-8)
    norm.weight.copy_(scale)
    norm.bias.copy_(wanted - scale * mean)


def largest(scores: Tensor, count: int) -> list[int]:
    """The places of the `count` largest scores, or of all, in their order."""
    found: list[int] = scores.topk(min(count, len(scores))).indices.sort().values.tolist()
    return found


def _others(taken: Sequence[int], count: int) -> list[int]:
    return sorted(set(range(count)) - set(taken))
