"""Training with only those word embeddings that occur in the rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from compress.data.batches import Encoded
from compress.encoders.modeling_compress import FactoredEmbedding

WORTH = 0.9
"""A vocabulary of which a larger share occurs is left whole."""


class CompactEmbedding(nn.Module):
    """A word embedding that has only the rows of some tokens; it answers for them as the whole one does."""

    place: Tensor
    absent: Tensor
    """(2,) the smallest and the largest value of all other tokens' embeddings."""

    def __init__(self, whole: nn.Embedding, tokens: Tensor) -> None:
        super().__init__()
        place = torch.zeros(whole.num_embeddings, dtype=torch.long, device=whole.weight.device)
        place[tokens] = torch.arange(len(tokens), device=whole.weight.device)
        self.register_buffer("place", place, persistent=False)
        others = torch.ones_like(place, dtype=torch.bool).index_fill_(0, tokens, False)
        self.register_buffer("absent", torch.stack(whole.weight.detach()[others].aminmax()), persistent=False)
        self.weight = nn.Parameter(whole.weight.detach()[tokens], requires_grad=whole.weight.requires_grad)
        self.padding = None if whole.padding_idx is None else int(place[whole.padding_idx])
        self.projection = whole.projection if isinstance(whole, FactoredEmbedding) else nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (n, tokens) -> (n, tokens, width)."""
        states: Tensor = self.projection(functional.embedding(self.place[ids], self.weight, self.padding))
        return states


@contextmanager
def compacted(model: nn.Module, rows: Sequence[Encoded]) -> Iterator[None]:
    """While the context lasts, the model holds only the word embeddings of tokens in `rows`; then it has all again.

    The optimizer then touches less memory in every step: a third of MiniLM's parameters belong to tokens that SST-2
    never uses. The others' embeddings stay as they were: they get no gradient anyway, and no weight decay here.
    """
    student = getattr(model, "student", model)
    if not isinstance(student, PreTrainedModel):
        yield
        return
    whole = student.get_input_embeddings()
    found = np.unique(np.concatenate([part.ids for part in rows]))
    tokens = torch.from_numpy(np.union1d(found, [rows[0].pad_id])).long()
    if not isinstance(whole, nn.Embedding) or len(tokens) > WORTH * whole.num_embeddings or _tied(student, whole):
        yield
        return
    compact = CompactEmbedding(whole, tokens.to(whole.weight.device))
    student.set_input_embeddings(compact)
    try:
        yield
    finally:
        with torch.no_grad():
            whole.weight[tokens.to(whole.weight.device)] = compact.weight.to(whole.weight)
        student.set_input_embeddings(whole)


def _tied(model: PreTrainedModel, whole: nn.Embedding) -> bool:
    """Whether another part of the model uses the same weights, such as the output of a language model."""
    return sum(weight is whole.weight for _, weight in model.named_parameters(remove_duplicate=False)) > 1
