"""Words that a masked language model proposes for the places of others."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

from compress.data.batches import collate
from compress.data.words import Word, lettered
from compress.encoders.families import family_of
from compress.encoders.modules import base
from compress.encoders.widths import max_length
from compress.errors import InputError
from compress.training.precision import Precision, autocast

SIZE = 64
"""Rows of like length in one batch."""
MASKED = 0.15
"""Share of a row's tokens masked at a time, as in the training of such models (Devlin et al. 2019, section 3.1)."""
_KEPT = 4
"""Candidates asked for beside those that are wanted: some are the word itself in other capitals."""


class Asked(NamedTuple):
    """A row of tokens, and the places whose words are asked for."""

    ids: Sequence[int]
    types: Sequence[int]
    places: Sequence[int]


class Proposer:
    """A masked language model as a source of words that fit a place."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, device: torch.device, precision: Precision
    ) -> None:
        """Raises: InputError if the tokenizer has no mask, or no token that is a whole word"""
        if tokenizer.mask_token_id is None:
            raise InputError(
                f"the tokenizer {type(tokenizer).__name__} has no mask token: its model proposes no words."
            )
        self.model, self.device, self.precision = model.to(device), device, precision  # type: ignore[arg-type]
        self.mask, self.pad = int(tokenizer.mask_token_id), int(tokenizer.pad_token_id or 0)
        self.limit = max_length(model.config)
        self.surfaces = whole_words(tokenizer)
        self.allowed = torch.tensor([bool(surface) for surface in self.surfaces], device=device)
        if not self.allowed.any():
            raise InputError(f"no token of {type(tokenizer).__name__} is a whole word, so none can be proposed.")

    def propose(self, rows: Sequence[Asked], count: int) -> list[dict[int, list[str]]]:
        """For each row the up to `count` most likely other words at each of its places, the likeliest first.

        Every place is masked once, and with it as many others of its row as the model was trained to see masked.
        """
        found: list[dict[int, list[str]]] = [{} for _ in rows]
        variants = [(number, places) for number, row in enumerate(rows) for places in _turns(row)]
        variants.sort(key=lambda variant: len(rows[variant[0]].ids))
        for start in range(0, len(variants), SIZE):
            chosen = variants[start : start + SIZE]
            asked = [(at, number, place) for at, (number, places) in enumerate(chosen) for place in places]
            logits = self._logits([self._masked(rows[number], places) for number, places in chosen], asked)
            # A model may have more tokens than its tokenizer, to fill up a round number.
            logits = logits[:, : len(self.surfaces)].masked_fill(~self.allowed, -torch.inf)
            best = logits.topk(min(count + _KEPT, int(self.allowed.sum()))).indices.tolist()
            for (_, number, place), ids in zip(asked, best, strict=True):
                names: dict[str, str] = {}
                for surface in [self.surfaces[other] for other in ids]:
                    names.setdefault(surface.casefold(), surface)
                names.pop(self.surfaces[rows[number].ids[place]].casefold(), None)
                found[number][place] = [*names.values()][:count]
        return found

    def reaches(self, word: Word) -> bool:
        """Whether a word can be asked for: it has one token, which the model's positions reach."""
        return len(word.pieces) == 1 and word.first < self.limit - 1

    def _masked(self, row: Asked, places: Sequence[int]) -> dict[str, Any]:
        """A row with some tokens masked; of a longer one than the model takes the beginning, and the last token."""
        ids, types = ([*of[: self.limit - 1], *of[self.limit - 1 :][-1:]] for of in (row.ids, row.types))
        for place in places:
            ids[place] = self.mask
        return {"input_ids": ids, "token_type_ids": types}

    def _logits(self, rows: list[dict[str, Any]], asked: Sequence[tuple[int, int, int]]) -> Tensor:
        """(places, vocabulary) fp32; what the model says of other places is not computed."""
        batch = {name: values.to(self.device) for name, values in collate(rows, self.pad).items()}
        at, places = (torch.tensor([each[key] for each in asked], device=self.device) for key in (0, 2))

        def only(_module: nn.Module, _inputs: object, output: Any) -> BaseModelOutput:
            return BaseModelOutput(last_hidden_state=output[0][at, places][None])

        handle = base(self.model).register_forward_hook(only)
        try:
            with torch.no_grad(), autocast(self.device, self.precision):
                logits: Tensor = self.model(**{name: batch[name] for name in family_of(self.model).inputs})["logits"]
        finally:
            handle.remove()
        return logits[0].float()


def whole_words(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """For each token the word it spells when it follows a blank, empty if it spells none or a part of one."""
    backend: Any = tokenizer.backend_tokenizer
    special = set(tokenizer.all_special_ids)
    size = max(tokenizer.get_vocab().values()) + 1
    texts = ["" if number in special else backend.decode([number]).strip() for number in range(size)]
    texts = [text if lettered(text) else "" for text in texts]
    backend.no_truncation()
    backend.no_padding()
    # "a" and a blank stand before the word: the tokens of a text's first word can be others.
    spelled = backend.encode_batch_fast([f"a {text}" for text in texts], add_special_tokens=False)
    lead = backend.encode("a", add_special_tokens=False).ids
    return [
        text if text and encoding.ids == [*lead, number] else ""
        for number, (text, encoding) in enumerate(zip(texts, spelled, strict=True))
    ]


def _turns(row: Asked) -> Iterator[Sequence[int]]:
    """The places of a row in as few turns as can be, those of one turn far from each other."""
    turns = -(-len(row.places) // max(1, round(MASKED * len(row.ids))))
    for turn in range(turns):
        yield row.places[turn::turns]
