"""What a student is trained on: the weighted sum of losses between it and its teacher."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from compress.config.settings import Distill
from compress.encoders.capture import Captured, capture
from compress.encoders.families import calls, family_of, pruned_of, shape_of
from compress.errors import InputError, Problem
from compress.losses import Reads
from compress.registry import LOSSES, MAPPINGS

INNER: tuple[Reads, ...] = ("hidden_states", "attention_scores", "embeddings")
"""What is read by hooks; their names are those of `capture`'s arguments."""


@dataclass(frozen=True)
class Term:
    """One loss of the sum."""

    weight: float
    formula: Callable[..., Tensor]
    reads: Reads
    options: dict[str, Any]
    """The settings that its signature names."""
    masked: bool
    """Whether it asks for the attention mask."""

    def __call__(self, student: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        return self.formula(student, other, **self.options, **({"mask": mask} if self.masked else {}))


class Distillation(nn.Module):
    """A student with its losses, as a module that the training loop trains.

    In training mode `forward` gives `loss`, the student's `logits` and `parts`, each loss before its weight; in eval
    mode the logits alone. A loss on layers is the sum over the student's layers, each against the teacher layer that
    `layer_mapping` gives it. Narrower or wider student states are first multiplied by a learned matrix. Where the two
    have different heads, those that both kept of the same original ones are compared, else the averages over heads.

    The teacher is no part of the module: it is neither trained nor saved. It is put into eval mode, and follows the
    batches to their device. It is not called when all that is read of it is given: its `teacher_logits` (rows, classes),
    which may be an average over several teachers, and its `teacher_states`; each batch then carries `index` (n,), the
    numbers of its rows. A teacher that numbers the student's tokens otherwise is given `translate` (student's tokens,),
    its own number of each.
    Raises: InputError with all that does not fit; UnknownName for a loss or mapping that does not exist.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        teacher: PreTrainedModel | None,
        settings: Distill,
        *,
        seed: int = 0,
        teacher_logits: Tensor | None = None,
        teacher_states: Callable[[Tensor, Tensor], Captured] | None = None,
        translate: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.translate: Tensor | None
        self.register_buffer("translate", translate, persistent=False)
        self._teacher = (teacher,)  # a tuple hides it from parameters(), state_dict() and train()
        self.teacher_logits = teacher_logits
        self.teacher_states = teacher_states
        self.terms = {name: _term(name, weight, settings) for name, weight in settings.losses.items()}
        reads = {term.reads for term in self.terms.values()}
        self.inner = {name: name in reads for name in INNER}
        inside = any(self.inner.values()) and teacher_states is None
        self.live = inside or ("logits" in reads and teacher_logits is None)
        _check(student, teacher, settings, self)
        self.mapping: tuple[int, ...] = ()
        self.heads: list[tuple[list[int], list[int]] | None] = []
        self.projections = nn.ModuleList()
        self.embedding_projection: nn.Module = nn.Identity()
        if teacher is not None and any(self.inner.values()):
            self._connect(student, teacher, settings, torch.Generator().manual_seed(seed))

    @property
    def teacher(self) -> PreTrainedModel | None:
        """The model that is learned from."""
        return self._teacher[0]

    @property
    def teacher_layers(self) -> set[int]:
        """The teacher's layers (from 0) that may be read."""
        return set(self.mapping)

    def _connect(
        self, student: PreTrainedModel, teacher: PreTrainedModel, settings: Distill, generator: torch.Generator
    ) -> None:
        """Map layers and heads to the teacher's, and make the projections."""
        widths = shape_of(student.config).hidden, shape_of(teacher.config).hidden
        if self.inner["embeddings"]:
            self.embedding_projection = _projection(*widths, generator)
        if self.inner["hidden_states"] or self.inner["attention_scores"]:
            self.mapping = mapped(settings.layer_mapping, calls(student.config), calls(teacher.config))
        if self.inner["hidden_states"]:
            self.projections.extend(_projection(*widths, generator) for _ in self.mapping)
        if self.inner["attention_scores"]:
            pairs = enumerate(self.mapping)
            self.heads = [common_heads(student.config, teacher.config, own, other) for own, other in pairs]

    def forward(self, labels: Tensor | None = None, index: Tensor | None = None, **inputs: Tensor) -> dict[str, Any]:
        """The student's answers on a batch and, in training mode, their losses.

        Shapes: input_ids, attention_mask and token_type_ids (n, tokens), labels and index (n,) -> loss (), logits (n, classes)
        """
        if not self.training:
            return {"logits": _run(self.student, inputs)}
        with capture(self.student, **self.inner) as own:
            logits = _run(self.student, inputs)
        other, targets = self._ask_teacher(inputs, index)
        parts = {
            name: self._part(name, term, (logits, own), (targets, other), labels, inputs["attention_mask"])
            for name, term in self.terms.items()
        }
        loss = torch.stack([self.terms[name].weight * part for name, part in parts.items()]).sum()
        return {"loss": loss, "logits": logits, "parts": {name: part.detach() for name, part in parts.items()}}

    def _ask_teacher(self, inputs: dict[str, Tensor], index: Tensor | None) -> tuple[Captured, Tensor | None]:
        """What happens inside the teacher, and the logits that are learned from."""
        inside, targets = Captured(), None
        if self.live and self.teacher is not None:
            self.teacher.to(inputs["input_ids"].device)  # type: ignore[arg-type]
            self.teacher.train(False)
            if self.translate is not None:
                inputs = {**inputs, "input_ids": self.translate[inputs["input_ids"]]}
            with torch.no_grad(), capture(self.teacher, **self.inner) as inside:
                targets = _run(self.teacher, inputs)
        if self.teacher_logits is None and self.teacher_states is None:
            return inside, targets
        if index is None:
            raise InputError("what is stored of the teacher needs `index`, the numbers of the batch's rows.")
        if self.teacher_states is not None:
            inside = self.teacher_states(index, inputs["attention_mask"])
        if self.teacher_logits is not None:
            targets = self.teacher_logits[index.to(self.teacher_logits.device)].to(index.device)
        return inside, targets

    def _part(
        self,
        name: str,
        term: Term,
        student: tuple[Tensor, Captured],
        teacher: tuple[Tensor | None, Captured],
        labels: Tensor | None,
        mask: Tensor,
    ) -> Tensor:
        """One loss of the sum, before its weight."""
        (logits, own), (targets, other) = student, teacher
        if term.reads in ("labels", "logits"):
            right = labels if term.reads == "labels" else targets
            if right is None:
                raise InputError(f"the loss {name} reads {term.reads}, and the batch has none.")
            return term(logits, right, mask)
        if term.reads == "embeddings":
            return term(self.embedding_projection(own.embeddings), other.embeddings, mask)
        if term.reads == "hidden_states":
            layers = zip(self.projections, own.hidden_states, self.mapping, strict=True)
            return _total(term(project(state), other.hidden_states[to], mask) for project, state, to in layers)
        return _total(
            term(*_scores(own, other, layer, to, heads), mask)
            for layer, (to, heads) in enumerate(zip(self.mapping, self.heads, strict=True))
        )


def mapped(rule: str | Sequence[int], student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """The teacher layer (from 0) of each student layer, by a mapping's name or as listed.

    Raises: InputError if the mapping does not fit the numbers of layers; UnknownName if it does not exist
    """
    if not isinstance(rule, str):
        found = MAPPINGS.load("explicit")(student_layers, teacher_layers, layers=rule)
    elif rule == "explicit":
        raise InputError("layer_mapping: `explicit` is written as the list itself, such as `[1, 3, 5]`.")
    else:
        found = MAPPINGS.load(rule)(student_layers, teacher_layers)
    if len(found) != student_layers or not all(0 <= layer < teacher_layers for layer in found):
        raise InputError(
            f"layer_mapping: `{rule}` gives {list(found)} for {student_layers} student and {teacher_layers} teacher layers."
        )
    return tuple(found)


def common_heads(
    student: PreTrainedConfig, teacher: PreTrainedConfig, layer: int, to: int
) -> tuple[list[int], list[int]] | None:
    """Which heads of a student layer and of its teacher layer belong together; None if only their averages compare.

    Heads belong together if they had the same number before any was cut, in layers of as many heads.
    """
    if _uncut(student) != _uncut(teacher):
        return None
    own, other = _kept(student, layer), _kept(teacher, to)
    both = [head for head in own if head in other]
    return ([own.index(head) for head in both], [other.index(head) for head in both]) if both else None


def _uncut(config: PreTrainedConfig) -> int:
    return int(getattr(config, family_of(config).heads_key))


def _kept(config: PreTrainedConfig, layer: int) -> list[int]:
    pruned = pruned_of(config)
    # A layer that is called again and again is recorded once.
    return list(range(_uncut(config))) if pruned is None else list(pruned.heads[layer % len(pruned.heads)])


def _scores(
    own: Captured, other: Captured, layer: int, to: int, heads: tuple[list[int], list[int]] | None
) -> tuple[Tensor, Tensor]:
    """Both models' scores before the softmax, for the heads that are compared."""
    chosen = heads or (None, None)
    student, teacher = (
        _attended(captured.queries[place], captured.keys[place], ids)
        for captured, place, ids in ((own, layer, chosen[0]), (other, to, chosen[1]))
    )
    if heads is None:
        return student.mean(1, keepdim=True), teacher.mean(1, keepdim=True)
    return student, teacher


def _attended(query: Tensor, key: Tensor, ids: list[int] | None) -> Tensor:
    if ids is not None and len(ids) != query.size(1):
        query, key = query[:, ids], key[:, ids]
    scores: Tensor = query @ key.transpose(-1, -2) * query.size(-1) ** -0.5
    return scores


def _run(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    """A model's logits from those inputs that its family takes."""
    taken = {name: inputs[name] for name in family_of(model).inputs if name in inputs}
    return cast("Tensor", model(**taken)["logits"])


def _total(parts: Any) -> Tensor:
    return torch.stack(list(parts)).sum()


def _projection(student: int, teacher: int, generator: torch.Generator) -> nn.Module:
    """A learned map from the student's width to the teacher's; nothing where they are the same."""
    if student == teacher:
        return nn.Identity()
    made = nn.Linear(student, teacher, bias=False)
    nn.init.orthogonal_(made.weight, generator=generator)
    return made


def _term(name: str, weight: float, settings: Distill) -> Term:
    formula = LOSSES.load(name)
    asked = [key for key, kind in inspect.signature(formula).parameters.items() if kind.kind is kind.KEYWORD_ONLY]
    known = type(settings).model_fields
    strange = [key for key in asked if key != "mask" and key not in known]
    if strange:
        raise InputError(f"the loss {name} asks for {', '.join(strange)}, which no key of `distill` gives.")
    options = {key: getattr(settings, key) for key in asked if key != "mask"}
    return Term(weight, formula, formula.reads, options, "mask" in asked)


def _check(
    student: PreTrainedModel, teacher: PreTrainedModel | None, settings: Distill, objective: Distillation
) -> None:
    """Raises: InputError with every reason why the student cannot learn this from the teacher"""
    found = []
    stored, classes = objective.teacher_logits, student.config.num_labels
    names = ", ".join(objective.terms)
    if objective.live and teacher is None:
        found.append(f"the losses {names} need the teacher itself.")
    shared = objective.translate is not None or (teacher and teacher.config.vocab_size) == student.config.vocab_size
    if objective.live and teacher is not None and not shared:
        found.append(
            f"the student reads {student.config.vocab_size} tokens, the teacher {teacher.config.vocab_size}: the teacher "
            "needs `translate`, its own number of each, or its logits stored."
        )
    answers = stored.shape[-1] if stored is not None else teacher.config.num_labels if teacher is not None else classes
    if any(term.reads == "logits" for term in objective.terms.values()) and answers != classes:
        found.append(f"the student has {classes} labels, the teacher {answers}.")
    smoothing = any("label_smoothing" in term.options for term in objective.terms.values())
    if settings.label_smoothing and not smoothing:
        found.append(f"`label_smoothing: {settings.label_smoothing}` is read by none of the losses {names}.")
    if found:
        raise InputError([Problem("distill", what) for what in found])
