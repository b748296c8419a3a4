"""What a student is trained on: the weighted sum of losses between it and its teacher."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.config import schedule
from compress.config.schedule import Schedule
from compress.config.settings import Distill
from compress.encoders.capture import Captured, capture
from compress.encoders.families import family_of
from compress.encoders.family import unread, unrounded
from compress.encoders.widths import calls, shape_of
from compress.errors import InputError, Problem
from compress.losses import LAYERS, Reads
from compress.registry import LOSSES
from compress.training.fake_quantization import fake_quantized
from compress.training.heads import Heads, common_heads, headed, relations, scores, whole_width
from compress.training.matching import Compare, Matching
from compress.training.precision import halved

HEADED: tuple[Reads, ...] = ("attention_scores", "relations")
"""What is read of a layer's attention heads."""
INNER: tuple[Reads, ...] = (*LAYERS, "embeddings", "sentence")
"""What is read by hooks; their names are those of `capture`'s arguments."""


@dataclass(frozen=True)
class Term:
    """One loss of the sum, as it stands at one step."""

    weight: float
    formula: Callable[..., Tensor]
    reads: Reads
    options: dict[str, Any]
    """The settings that its signature names."""
    masked: bool
    """Whether it asks for the attention mask."""

    def __call__(self, student: Any, other: Any, mask: Tensor) -> Tensor:
        return self.formula(student, other, **self.options, **({"mask": mask} if self.masked else {}))


class Distillation(nn.Module):
    """A student with its losses, as a module that the training loop trains.

    In training mode `forward` gives `loss`, the student's `logits` and `parts`, each loss before its weight; in eval
    mode the logits alone. A loss on layers is the sum over the student's layers, each against the teacher layers that
    `layer_mapping` gives it. Narrower or wider student states are first multiplied by a learned matrix. Of attention,
    those heads are compared that both kept of the same original ones; if there are none, the averages over heads, or
    the relations of all heads together; a layer that lost all its heads is left out. With `fake_quantize` the student
    answers as its INT8 export will, in eval mode too. Weights and temperatures that are scheduled move with `advance`.

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
        self._halved: tuple[PreTrainedModel, ...] = ()
        self.teacher_logits = teacher_logits
        self.teacher_states = teacher_states
        self.settings = settings
        self.terms = {name: _term(name, settings) for name in settings.losses}
        self.advance(0.0)
        reads = {term.reads for term in self.terms.values()}
        self.inner = {name: name in reads for name in INNER}
        inside = any(self.inner.values()) and teacher_states is None
        self.live = inside or ("logits" in reads and teacher_logits is None)
        _check(student, teacher, settings, self)
        self.matching: Matching | None = None
        self.heads: dict[tuple[int, int], Heads | None] = {}
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
        return {pair.other for pair in self.matching.pairs} if self.matching is not None else set()

    def _connect(
        self, student: PreTrainedModel, teacher: PreTrainedModel, settings: Distill, generator: torch.Generator
    ) -> None:
        """Map layers and heads to the teacher's, and make the projections."""
        widths = shape_of(student.config).hidden, shape_of(teacher.config).hidden
        if self.inner["embeddings"]:
            self.embedding_projection = _projection(*widths, generator)
        if any(self.inner[name] for name in LAYERS):
            self.matching = Matching(settings.layer_mapping, calls(student.config), calls(teacher.config))
            self.heads = {
                (own, other): common_heads(student.config, teacher.config, own, other)
                for own, other, _ in self.matching.pairs
            }
            there = (headed(student.config, own) and headed(teacher.config, other) for own, other in self.heads)
            if not any(there) and all(term.reads in HEADED for term in self.terms.values()):
                what = (
                    f"no layer that learns has attention heads left, and {', '.join(self.terms)} reads nothing else. Add "
                    "a loss such as `soft_label`, or cut fewer heads."
                )
                raise InputError(Problem("distill", what))
            if self.inner["hidden_states"]:
                learning = {pair.own for pair in self.matching.pairs}
                self.projections.extend(
                    _projection(*widths, generator) if layer in learning else nn.Identity()
                    for layer in range(calls(student.config))
                )

    def advance(self, share: float) -> None:
        """Set weights and temperatures to what they are after a share of the steps: 0 at the first, 1 at the last."""
        self.terms = {
            name: replace(
                term,
                weight=schedule.value(self.settings.losses[name], share),
                options={key: schedule.value(getattr(self.settings, key), share) for key in term.options},
            )
            for name, term in self.terms.items()
        }

    @property
    def scheduled(self) -> dict[str, float]:
        """What moves, as it stands, by its key below `distill`: `losses.soft_label`, `temperature`."""
        found = {}
        for name, term in self.terms.items():
            if isinstance(self.settings.losses[name], Schedule):
                found[f"losses.{name}"] = term.weight
            moving = (key for key in term.options if isinstance(getattr(self.settings, key), Schedule))
            found.update({key: term.options[key] for key in moving})
        return found

    def forward(self, labels: Tensor | None = None, index: Tensor | None = None, **inputs: Tensor) -> dict[str, Any]:
        """The student's answers on a batch and, in training mode, their losses.

        Shapes: input_ids, attention_mask and token_type_ids (n, tokens), labels and index (n,) -> loss (), logits (n, classes)
        """
        with fake_quantized(self.student) if self.settings.fake_quantize else nullcontext():
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
            teacher = self._asked(self.teacher, inputs["input_ids"].device)
            if self.translate is not None:
                inputs = {**inputs, "input_ids": self.translate[inputs["input_ids"]]}
            with torch.no_grad(), capture(teacher, **self.inner) as inside:
                targets = _run(teacher, inputs)
        if self.teacher_logits is None and self.teacher_states is None:
            return inside, targets
        if index is None:
            raise InputError("what is stored of the teacher needs `index`, the numbers of the batch's rows.")
        if self.teacher_states is not None:
            inside = self.teacher_states(index, inputs["attention_mask"])
        if self.teacher_logits is not None:
            targets = self.teacher_logits[index.to(self.teacher_logits.device)].to(index.device)
        return inside, targets

    def _asked(self, teacher: PreTrainedModel, device: torch.device) -> PreTrainedModel:
        """The teacher on a device, ready to answer; where it would be cast to bf16 in each pass, its copy that is."""
        if torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type) == torch.bfloat16:
            self._halved = self._halved or (halved(teacher),)
            teacher = self._halved[0]
        teacher.to(device)  # type: ignore[arg-type]
        teacher.train(False)
        return teacher

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
        if term.reads == "sentence":
            return term(own.sentence, other.sentence, mask)
        assert self.matching is not None
        return self.matching.total(self._between(term, own, other, mask))

    def _between(self, term: Term, own: Captured, other: Captured, mask: Tensor) -> Compare:
        """One loss of a student layer against a teacher layer."""
        if term.reads == "hidden_states":
            pairs = zip(self.projections, own.hidden_states, strict=True)
            states = [project(state) for project, state in pairs]
            if family_of(self.student).reads_last:  # losses take the first token for the one that the head reads
                return lambda layer, to: term(states[layer].flip(1), other.hidden_states[to].flip(1), mask.flip(1))
            return lambda layer, to: term(states[layer], other.hidden_states[to], mask)
        read: Callable[..., tuple[Any, Any]] = scores if term.reads == "attention_scores" else relations

        def compare(layer: int, to: int) -> Tensor:
            if not own.queries[layer].size(1) or not other.queries[to].size(1):
                return mask.new_zeros((), dtype=own.queries[layer].dtype)
            student, teacher = read(own, other, layer, to, self.heads[layer, to])
            return term(student, teacher, mask)

        return compare


def _run(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    """A model's logits from those inputs that its family takes."""
    taken = {name: inputs[name] for name in family_of(model).inputs if name in inputs}
    return cast("Tensor", model(**taken)["logits"])


def _projection(student: int, teacher: int, generator: torch.Generator) -> nn.Module:
    """A learned map from the student's width to the teacher's; nothing where they are the same."""
    if student == teacher:
        return nn.Identity()
    made = nn.Linear(student, teacher, bias=False)
    nn.init.orthogonal_(made.weight, generator=generator)
    return made


def _term(name: str, settings: Distill) -> Term:
    formula = LOSSES.load(name)
    asked = [key for key, kind in inspect.signature(formula).parameters.items() if kind.kind is kind.KEYWORD_ONLY]
    known = type(settings).model_fields
    strange = [key for key in asked if key != "mask" and key not in known]
    if strange:
        raise InputError(f"the loss {name} asks for {', '.join(strange)}, which no key of `distill` gives.")
    options = {key: getattr(settings, key) for key in asked if key != "mask"}
    return Term(0.0, formula, formula.reads, options, "mask" in asked)


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
    related = any("relation_heads" in term.options for term in objective.terms.values())
    if settings.relation_heads and teacher is not None and related:
        for who, model in (("student", student), ("teacher", teacher)):
            if whole_width(model.config) % settings.relation_heads:
                found.append(
                    f"`relation_heads: {settings.relation_heads}` does not divide the {who}'s width, "
                    f"{whole_width(model.config)}."
                )
    for name, term in objective.terms.items():
        families = [family_of(model) for model in (student, teacher) if model is not None]
        reasons = [what for row in families if (what := unread(row, name, term.reads))]
        found += reasons[:1]
    if settings.fake_quantize and (what := unrounded(family_of(student))):
        found.append(what)
    if found:
        raise InputError([Problem("distill", what) for what in found])
