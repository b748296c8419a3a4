"""What is compared of two layers' attention heads."""

from typing import NamedTuple

from torch import Tensor
from transformers import PreTrainedConfig

from compress.encoders.capture import Captured
from compress.encoders.families import family_of
from compress.encoders.widths import pruned_of


class Heads(NamedTuple):
    """The places of the heads that belong together, in a student layer and in its teacher layer."""

    own: list[int]
    other: list[int]


def common_heads(student: PreTrainedConfig, teacher: PreTrainedConfig, layer: int, to: int) -> Heads | None:
    """Which heads of a student layer and of a teacher layer belong together; None if no two do.

    Heads belong together if they had the same number before any was cut, in layers of as many heads.
    """
    if _uncut(student) != _uncut(teacher):
        return None
    own, other = _kept(student, layer), _kept(teacher, to)
    both = [head for head in own if head in other]
    return Heads([own.index(head) for head in both], [other.index(head) for head in both]) if both else None


def headed(config: PreTrainedConfig, layer: int) -> bool:
    """Whether a layer has attention heads left."""
    return bool(_kept(config, layer))


def scores(own: Captured, other: Captured, layer: int, to: int, heads: Heads | None) -> tuple[Tensor, Tensor]:
    """Both layers' scores before the softmax, of the heads that belong together; if none do, the means over heads.

    Shapes: (n, heads, tokens, tokens) each
    """
    if heads is None:
        student, teacher = (_scores(*pair) for pair in ((own, layer), (other, to)))
        return student.mean(1, keepdim=True), teacher.mean(1, keepdim=True)
    return _scores(own, layer, heads.own), _scores(other, to, heads.other)


def relations(
    own: Captured, other: Captured, layer: int, to: int, heads: Heads | None
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Both layers' queries, keys and values, of the heads that belong together; if none do, of all.

    Shapes: 3 x (n, heads, tokens, size) each
    """
    sides = (own, layer, heads and heads.own), (other, to, heads and heads.other)
    student, teacher = (
        tuple(_taken(kind[place], ids) for kind in (captured.queries, captured.keys, captured.values))
        for captured, place, ids in sides
    )
    return student, teacher


def whole_width(config: PreTrainedConfig) -> int:
    """The width of all heads of a layer together, before any was cut."""
    pruned = pruned_of(config)
    return int(getattr(config, family_of(config).hidden_key)) if pruned is None else _uncut(config) * pruned.head_size


def _uncut(config: PreTrainedConfig) -> int:
    return int(getattr(config, family_of(config).heads_key))


def _kept(config: PreTrainedConfig, layer: int) -> list[int]:
    pruned = pruned_of(config)
    # A layer that is called again and again is recorded once.
    return list(range(_uncut(config))) if pruned is None else list(pruned.heads[layer % len(pruned.heads)])


def _scores(captured: Captured, layer: int, ids: list[int] | None = None) -> Tensor:
    query, key = _taken(captured.queries[layer], ids), _taken(captured.keys[layer], ids)
    attended: Tensor = query @ key.transpose(-1, -2) * query.size(-1) ** -0.5
    return attended


def _taken(states: Tensor, ids: list[int] | None) -> Tensor:
    return states if ids is None or len(ids) == states.size(1) else states[:, ids]
