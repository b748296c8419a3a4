"""Words that are near by their embeddings."""

import torch
from torch import nn

from compress.data import neighbours as module
from compress.data.neighbours import Vocabulary, neighbours
from compress.data.words import Word

GOOD, GREAT, BAD, LY, FILM, MOVIE, OTHER = range(7)
VECTORS = torch.tensor([[5.0, 0, 1], [5, 1, 0], [4, -1, 0], [5, 0.5, 0.5], [-5, 0, 1], [-5, 1, 0], [-5, 0.9, 0.1]])
SURFACES = {
    (GOOD,): "good",
    (GREAT,): "great",
    (BAD,): "bad",
    (GOOD, LY): "goodly",
    (FILM,): "film",
    (MOVIE,): "movie",
    (OTHER,): "Movie",
}


def found(count=3):
    return neighbours(SURFACES, nn.Embedding.from_pretrained(VECTORS), count)


def test_the_nearest_come_first():
    assert found()[GOOD,][:2] == ["great", "bad"]
    assert all(len(names) == 1 for names in found(1).values())


def test_spelling_alone_makes_no_neighbour():
    names = found(9)
    assert "goodly" not in names[GOOD,] + names[GREAT,]
    assert "good" not in names[GOOD, LY]
    assert "great" in names[GOOD, LY]


def test_capitals_make_no_other_word():
    names = found(9)
    assert {name.casefold() for name in names[MOVIE,]}.isdisjoint({"movie"})
    assert len([name for name in names[FILM,] if name.casefold() == "movie"]) == 1


def test_blocks_and_a_limit_on_rare_words(monkeypatch):
    whole = found()
    told = []
    monkeypatch.setattr(module, "_BLOCK", 2)
    assert neighbours(SURFACES, nn.Embedding.from_pretrained(VECTORS), 3, lambda *news: told.append(news)) == whole
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    monkeypatch.setattr(module, "LIMIT", 2)
    assert {name for names in found().values() for name in names} == {"good", "great"}
    assert neighbours({}, nn.Embedding(1, 1), 3) == {}
    assert neighbours({(0,): "one"}, nn.Embedding(1, 4), 3) == {(0,): []}


def test_a_word_is_written_as_it_mostly_is_and_frequent_ones_come_first():
    vocabulary = Vocabulary()
    for text in ("Film film bad", "film bad"):
        spans = [(place, place + len(part)) for part in dict.fromkeys(text.split()) for place in [text.index(part)]]
        vocabulary.add(
            [text], [Word(0, *span, 0, ((BAD,) if text[slice(*span)] == "bad" else (FILM,))) for span in spans]
        )
    assert vocabulary.surfaces() == {(FILM,): "film", (BAD,): "bad"}
    assert [*vocabulary.surfaces()] == [(FILM,), (BAD,)]
