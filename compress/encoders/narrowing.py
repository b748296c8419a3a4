"""The linear algebra of narrowing: a Linear, a set of heads or neurons, a norm, made smaller with the least change.

All functions write into the student's parts. Rows of activations are real tokens, as the teacher saw them. Units that
the teacher lacks keep their random inputs and get no output, so that they have no effect before they are trained.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from compress.encoders.modules import Parts
from compress.encoders.rows import Projection

RIDGE = 0.1
"""How strongly a corrected Linear holds on to its weights, in mean squares of its inputs."""
ROUNDING = 1e-9
"""The least ridge, in mean squares about zero: inputs that never differ have no spread but what rounding leaves of it."""


def principal(moments: Tensor, count: int) -> Tensor:
    """The `count` eigenvectors of largest eigenvalue of a symmetric (n, n) matrix, as columns (n, count)."""
    vectors = torch.linalg.eigh(moments.double())[1].flip(1)[:, :count]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return torch.mul(vectors, largest.sign()).float()


class Axes(NamedTuple):
    """The student's dimensions in those of the teacher, both (teacher width, student width)."""

    read: Tensor
    """What weights that read the states are multiplied by."""
    write: Tensor
    """The same for weights that add to them."""


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
    """(tokens, student width) what queries, keys and values are made of, in the student's dimensions."""
    contexts: Tensor
    """(tokens, teacher heads * head size) what enters the output Linear."""
    distances: Tensor | None = None
    """(distances, student width) what queries and keys are made of too (DeBERTa)."""


def narrow_attention(
    student: Parts,
    teacher: Parts,
    seen: Attended,
    axes: Axes,
    sizes: tuple[int, int],
    taken: Sequence[int] | None = None,
) -> None:
    """Heads: the `taken`, or the ones whose output varies most, each cut to the student's head size.

    A head's queries meet its keys, and its values its output weights, only in products. Each product is replaced by
    the one of lower rank that answers nearest on these tokens: an SVD between the square roots of the two factors'
    covariances. What is the same for all keys drops out of the softmax; means go into the output's bias. Where queries
    and keys are made of distances too, which meet those of the tokens, they weigh as much as the tokens do.

    Shapes: sizes: the head sizes of student and teacher
    """
    size, wide = sizes
    basis = axes.write
    queries, keys, values = (
        _Heads(linear.weight @ axes.read, bias_of(linear), wide)
        for linear in (teacher.query, teacher.key, teacher.value)
    )
    out = (basis.T @ teacher.output.weight).view(basis.size(1), -1, wide).transpose(0, 1)
    bias = basis.T @ bias_of(teacher.output)
    means = seen.contexts.mean(0).view(-1, wide)
    if taken is None:
        taken = largest(uses(teacher, seen.contexts, basis, wide), student.query.out_features // size)
    student.key.weight.zero_()
    set_bias(student.key, torch.zeros_like(student.key.weight[:, 0]))
    student.output.weight.zero_()
    for head in range(len(out)):
        if head not in taken:
            bias = bias + out[head] @ means[head]
            continue
        start = taken.index(head) * size
        rows = slice(start, start + min(size, wide))
        query, key, value, back = queries[head], keys[head], values[head], out[head]
        if size < wide:
            query, key = _cut_scores(query, key, seen.states, size, seen.distances)
            value, back, shift = _cut_values(value, back, seen.states, size)
            bias = bias + shift
        balance = (size / wide) ** 0.25
        for linear, (weight, offset), scale in (
            (student.query, query, balance),
            (student.key, key, balance),
            (student.value, value, 1.0),
        ):
            linear.weight[rows] = scale * weight
            set_bias(linear, scale * offset, rows)
        student.output.weight[:, rows] = back
    set_bias(student.output, bias)


def bias_of(linear: Projection) -> Tensor:
    """A Linear's bias; zeros if it has none."""
    return torch.zeros_like(linear.weight[:, 0]) if linear.bias is None else linear.bias


def set_bias(linear: Projection, values: Tensor, rows: slice = slice(None)) -> None:
    """Set the bias of a Linear, if it has one."""
    if linear.bias is not None:
        linear.bias[rows] = values


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


def narrow_neurons(student: Parts, teacher: Parts, activations: Tensor, axes: Axes) -> None:
    """Feed-forward neurons: the ones whose output varies most; the mean of the others goes into the bias.

    Shapes: activations (tokens, teacher neurons) what enters the `down` Linear
    """
    out = axes.write.T @ teacher.down.weight
    taken = largest(activations.var(0, correction=0) * out.pow(2).sum(0), student.up.out_features)
    count, left_out = len(taken), _others(taken, out.size(1))
    for small, large in zip(student.neurons_in, teacher.neurons_in, strict=True):
        small.weight[:count] = large.weight[taken] @ axes.read
        set_bias(small, bias_of(large)[taken], slice(count))
    student.down.weight.zero_()
    student.down.weight[:, :count] = out[:, taken]
    bias = axes.write.T @ bias_of(teacher.down) + out[:, left_out] @ activations.mean(0)[left_out]
    set_bias(student.down, bias)


def narrow_head(
    student: Sequence[nn.Linear], teacher: Sequence[nn.Linear], seen: Sequence[tuple[Tensor, Tensor]], read: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """The Linears between the first token's state and the logits: of their units, the ones that count most.

    Shapes: seen: what goes in and out of each of the teacher's, (rows, in) and (rows, out); read (teacher width, student
    width), see `Axes`
    Returns: what each of the student's should put out, and what the next should take (of the last: the same), (rows, out)
    """
    goals = []
    constant = torch.zeros(len(read), device=read.device)
    for place, (small, large) in enumerate(zip(student, teacher, strict=True)):
        taken = list(range(large.out_features))
        if place + 1 < len(teacher):
            inputs = seen[place + 1][0]
            taken = largest(inputs.var(0, correction=0) * teacher[place + 1].weight.pow(2).sum(0), small.out_features)
        small.weight.copy_((large.weight @ read)[taken])
        set_bias(small, (bias_of(large) + large.weight @ constant)[taken])
        goals.append((seen[place][1][:, taken], (inputs if place + 1 < len(teacher) else seen[place][1])[:, taken]))
        if place + 1 < len(teacher):
            read = torch.eye(large.out_features, device=read.device)[:, taken]
            constant = inputs.mean(0)
            constant[taken] = 0
    return goals


def correct(linear: nn.Linear, inputs: Tensor, goal: Tensor) -> None:
    """Bring a Linear's outputs nearer to a goal by least squares, with a ridge around the weights it has.

    Shapes: inputs (rows, in), goal (rows, out)
    """
    free = float(linear.bias is not None)  # without a bias, means are fitted as all else
    mean, wanted = free * inputs.mean(0), free * goal.mean(0)
    centred = inputs - mean
    missing = goal - wanted - centred @ linear.weight.T
    moments = (centred.T @ centred).double()
    least = ROUNDING * torch.linalg.vector_norm(inputs, dtype=torch.float64).square() / inputs.shape[1]
    moments.diagonal().add_(torch.maximum(RIDGE * moments.diagonal().mean(), least) + 1e-12)
    linear.weight.add_(torch.linalg.solve(moments, (centred.T @ missing).double()).T.to(linear.weight))
    set_bias(linear, wanted - linear.weight @ mean)


def fit_norm(norm: nn.LayerNorm, inputs: Tensor, goal: Tensor) -> None:
    """Scale and shift each dimension of a norm so that what it puts out comes nearest to a goal.

    Shapes: inputs, goal (tokens, width)
    """
    plain = nn.functional.layer_norm(inputs, norm.normalized_shape, eps=norm.eps)
    free = float(norm.bias is not None)
    mean, wanted = free * plain.mean(0), free * goal.mean(0)
    plain = plain - mean
    scale = (plain * (goal - wanted)).mean(0) / plain.pow(2).mean(0).clamp(min=1e-8)
    norm.weight.copy_(scale)
    if norm.bias is not None:
        norm.bias.copy_(wanted - scale * mean)


def largest(scores: Tensor, count: int) -> list[int]:
    """The places of the `count` largest scores, or of all, in their order."""
    found: list[int] = scores.topk(min(count, len(scores))).indices.sort().values.tolist()
    return found


def _others(taken: Sequence[int], count: int) -> list[int]:
    return sorted(set(range(count)) - set(taken))
