"""The words of the training rows that lie nearest to each other by the embeddings of their pieces."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.data.words import Word

LIMIT = 30_000
"""The most frequent words that are taken as neighbours: rarer ones are mostly names and misspellings."""
_BLOCK = 1024

Pieces = tuple[int, ...]


class Vocabulary:
    """The words of some rows by their pieces, each as it is mostly written, and how often it occurs."""

    def __init__(self) -> None:
        self._written: dict[Pieces, Counter[str]] = {}

    def add(self, texts: Sequence[str], found: Iterable[Word]) -> None:
        """Count the words of a row."""
        for word in found:
            written = texts[word.text][word.start : word.end]
            self._written.setdefault(word.pieces, Counter())[written] += 1

    def surfaces(self) -> dict[Pieces, str]:
        """Each word as it is mostly written; the most frequent words first, those that are equally so by their letters."""
        order = sorted(self._written.items(), key=lambda item: (-item[1].total(), item[0]))
        return {pieces: min(written, key=lambda text: (-written[text], text)) for pieces, written in order}


def neighbours(
    surfaces: Mapping[Pieces, str],
    embeddings: nn.Module,
    count: int,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[Pieces, list[str]]:
    """For each word up to `count` others, the nearest first, by the cosine of their embeddings.

    A word's embedding is the mean of its pieces', less the mean over all words: what all share says nothing. Words near
    by their spelling alone are no neighbours: those of several pieces of a word of one piece, and those that have all
    pieces of the other. Words that differ in capitals only are one. `tell` is told how many words are done.

    Source: Jiao et al. 2020, arXiv:1909.10351, section 3.2, with the model's embeddings in the place of GloVe's
    """
    keys = list(surfaces)
    if not keys:
        return {}
    vectors = _vectors(keys, embeddings)
    several = torch.tensor([len(key) > 1 for key in keys])
    known = vectors[:LIMIT]
    found: dict[Pieces, list[str]] = {}
    for start in range(0, len(keys), _BLOCK):
        near = vectors[start : start + _BLOCK] @ known.T
        near.masked_fill_(~several[start : start + _BLOCK, None] & several[: len(known)], -torch.inf)
        # More than are asked for, since some are near by their spelling alone.
        best = near.topk(min(2 * count + 10, len(known)))
        for number, (places, scores) in enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True), start):
            others = [keys[place] for place, score in zip(places, scores, strict=True) if score > -torch.inf]
            found[keys[number]] = _distinct(keys[number], others, surfaces)[:count]
        tell(min(start + _BLOCK, len(keys)), len(keys))
    return found


def _distinct(own: Pieces, others: Iterable[Pieces], surfaces: Mapping[Pieces, str]) -> list[str]:
    """Other words as they are written, each once."""
    pieces, found = set(own), dict[str, str]()
    for other in others:
        if not (pieces <= set(other) or pieces >= set(other)):
            found.setdefault(surfaces[other].casefold(), surfaces[other])
    found.pop(surfaces[own].casefold(), None)
    return list(found.values())


def _vectors(keys: Sequence[Pieces], embeddings: nn.Module) -> Tensor:
    """Unit vectors of words: (words, width)."""
    lengths = torch.tensor([len(key) for key in keys])
    with torch.no_grad():
        flat = embeddings(torch.tensor([piece for key in keys for piece in key])).float()
        places = torch.arange(len(keys)).repeat_interleave(lengths)
        means = torch.zeros(len(keys), flat.size(1)).index_add_(0, places, flat) / lengths[:, None]
        return functional.normalize(means - means.mean(0))
