"""The words of texts as a tokenizer sees them, and putting others in their places."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple
from unicodedata import category

_JOINTS = frozenset("'’`´-‐‑_@#&/\\.")


class Word(NamedTuple):
    """A run of letters that stands by itself, and the tokens that spell it."""

    text: int
    """0 in the first text, 1 in the second one of a pair."""
    start: int
    """Where it begins in its text."""
    end: int
    """Where it ends."""
    first: int
    """The place of its first token in the row."""
    pieces: tuple[int, ...]
    """Its tokens."""


def words(encoding: Any, texts: Sequence[str]) -> list[Word]:
    """The words of a row, from the tokenizers library's encoding of its text or its two texts.

    A word is what the tokenizer keeps apart (in Chinese, for BERT, one sign), without the punctuation around it. Left
    out is what is not all letters, and what hangs on its neighbour, as the `t` of `can't` and the parts of `e-mail`.
    """
    ids, spans, sequences = encoding.ids, encoding.offsets, encoding.sequence_ids  # each is copied when it is asked for
    found = []
    for places in _groups(sequences, encoding.word_ids):
        text = texts[sequences[places[0]]]
        start, end = _trimmed(text, spans[places[0]][0], spans[places[-1]][1])
        if start >= end or not _stands(text, start, end):
            continue
        inside = [place for place in places if spans[place][0] < end and spans[place][1] > start]
        around = text[spans[inside[0]][0] : start] + text[end : spans[inside[-1]][1]]
        if not around.strip():  # no token spells more than the word
            pieces = tuple(ids[place] for place in inside)
            found.append(Word(sequences[places[0]], start, end, inside[0], pieces))
    return found


def lettered(text: str) -> bool:
    """Whether a text is one or more letters with their marks, and nothing else."""
    return bool(text) and text[0].isalpha() and all(sign.isalpha() or category(sign)[0] == "M" for sign in text)


def cased(word: str, like: str) -> str:
    """A word with capitals as another one has them: all, the first, or its own."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def replaced(texts: Sequence[str], others: Sequence[tuple[Word, str]]) -> list[str]:
    """The texts with words replaced, each in the capitals of the one that it replaces."""
    made = list(texts)
    for word, other in sorted(others, key=lambda pair: pair[0].start, reverse=True):
        text = made[word.text]
        made[word.text] = text[: word.start] + cased(other, text[word.start : word.end]) + text[word.end :]
    return made


def _groups(sequences: Sequence[int | None], numbers: Sequence[int | None]) -> Iterator[list[int]]:
    """The places of the tokens of each word, special ones left out."""
    for key, group in groupby(range(len(numbers)), lambda place: (sequences[place], numbers[place])):
        if None not in key:
            yield [*group]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without what is no letter at its two ends."""
    while start < end and not text[start].isalpha():
        start += 1
    while end > start and not (text[end - 1].isalpha() or category(text[end - 1])[0] == "M"):
        end -= 1
    return start, end


def _stands(text: str, start: int, end: int) -> bool:
    """Whether a span is letters alone, and nothing joins it to what is beside it."""
    return (
        lettered(text[start:end])
        and not (start > 0 and (text[start - 1] in _JOINTS or text[start - 1].isdigit()))
        and not (end < len(text) and (_joins(text, end) or text[end].isdigit()))
    )


def _joins(text: str, place: int) -> bool:
    """Whether the sign behind a word ties it to something: a full stop at the end of a sentence does not."""
    if text[place] not in _JOINTS:
        return False
    return text[place] != "." or (place + 1 < len(text) and text[place + 1].isalnum())
