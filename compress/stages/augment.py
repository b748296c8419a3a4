"""Make new rows of the training rows by replacing words and by joining texts."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compress.config import settings
from compress.data import sources
from compress.data.neighbours import Pieces, Vocabulary, neighbours
from compress.data.sources import Rows
from compress.data.words import Word, replaced, words
from compress.encoders import checkpoint, source
from compress.errors import InputError
from compress.files import write_json, write_text
from compress.losses import UNLABELLED
from compress.stages.context import Context
from compress.stages.material import tokenizer_of
from compress.stages.transfer import AUGMENTED
from compress.store import seal
from compress.training.devices import place
from compress.training.precision import chosen, repeatable
from compress.training.proposals import Asked, Proposer

SUMMARY = "augmentation.json"
PART = 2048
"""Training rows whose new rows are saved together: an interruption loses no more."""


class Settings(NamedTuple):
    """Which rows, and how words are replaced."""

    task: settings.Task
    augment: settings.Augment


class Needs(NamedTuple):
    """The fine-tuned teacher, if no language model is named: its embeddings say which words are near."""

    teacher: Path | None = None


class _Row(NamedTuple):
    """A training row with its words."""

    texts: list[str]
    ids: list[int]
    types: list[int]
    words: list[Word]


def augment(settings: Settings, needs: Needs, context: Context) -> None:
    """Copy every training row `copies` times, words replaced, and join `joined` pairs of training texts.

    In a copy each word is replaced with probability `replace` by one of its candidates.

    A word of one piece takes those that the masked language model finds likely in its place; a word of several pieces or
    beyond the model's reach, or every word if there is no such model, those with the nearest embeddings among the words
    of the training rows.
    A joined row is the texts of two training rows drawn at random, a space between them.
    Copies in which nothing changed are left out, and so are new rows with the text of a training, validation or test row
    or of an earlier new row. What is drawn depends on the seed and the row alone.
    Writes `augmented.jsonl`: the texts and the number of the training row, from 0, or the two numbers; and
    `augmentation.json`, the counts.
    Source: Jiao et al. 2020, arXiv:1909.10351, section 3.2 and algorithm 1. Differs from its program in that no list of
    English stop words is spared, and that several words of a long row are masked at a time.
    Raises: InputError if there is no tokenizer or language model that can be read, or no row comes out
    """
    task, asked = settings.task, settings.augment
    given = {split: sources.load(task, context.root, split) for split in sources.SPLITS}
    if asked.copies:
        _replace(given["train"], asked, needs, context)
    _gather(given, asked, context)


def _replace(rows: Rows, asked: settings.Augment, needs: Needs, context: Context) -> None:
    """Save the copies of all training rows, part by part."""
    model, tokenizer = _model(asked, needs, context)
    here = place().device
    exact = chosen("auto", here)
    with repeatable(here, exact):
        nearest = _nearest(rows, model, tokenizer, asked.candidates, context)
        proposer = Proposer(model, tokenizer, device=here, precision=exact) if asked.masked_lm else None
        for start in range(0, len(rows), PART):
            path = _part(context, start)
            if seal.kept(_seal(path), context.notify) is None:
                read = [*_read(rows, tokenizer, start)]
                made = _copies(read, start, nearest, proposer, asked, context.seed)
                write_text(path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in made))
                seal.write(_seal(path), {"files": seal.facts(path.parent, [path.name])})
            context.notify(min(start + PART, len(rows)), len(rows), "words are replaced")


def _model(asked: settings.Augment, needs: Needs, context: Context) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model whose embeddings, and whose proposals if it is a language model, are taken; and its tokenizer."""
    if asked.masked_lm is not None:
        folder = source.fetch(source.locate(asked.masked_lm, context.root))
        model = checkpoint.load_masked_lm(folder)
    else:
        assert needs.teacher is not None
        folder, model = needs.teacher, checkpoint.load(needs.teacher)
    tokenizer = tokenizer_of(folder)
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: its tokenizer is not a fast one: it has no tokenizer.json.")
    return model, tokenizer


def _part(context: Context, start: int) -> Path:
    return context.work / f"part-{start:09}.jsonl"


def _seal(part: Path) -> Path:
    return part.with_suffix(seal.SUFFIX)


def _read(rows: Rows, tokenizer: PreTrainedTokenizerBase, start: int) -> Iterator[_Row]:
    """A part of the rows with their words."""
    backend: Any = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    columns = [rows.texts] if rows.pairs is None else [rows.texts, rows.pairs]
    texts = [list(row) for row in zip(*(column[start : start + PART] for column in columns), strict=True)]
    for row, encoding in zip(
        texts, backend.encode_batch([each[0] if len(each) == 1 else (*each,) for each in texts]), strict=True
    ):
        yield _Row(row, encoding.ids, encoding.type_ids, words(encoding, row))


def _nearest(
    rows: Rows, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int, context: Context
) -> dict[Pieces, list[str]]:
    """The nearest words of each word of the training rows."""
    vocabulary = Vocabulary()
    for start in range(0, len(rows), PART):
        for row in _read(rows, tokenizer, start):
            vocabulary.add(row.texts, row.words)
        context.notify(min(start + PART, len(rows)), len(rows), "words are counted")
    surfaces = vocabulary.surfaces()
    if len(surfaces) < 2:
        raise InputError("augment: the tokenizer finds no words in the training rows, so none can be replaced.")
    embeddings = model.get_input_embeddings()
    return neighbours(
        surfaces, embeddings, count, lambda done, total: context.notify(done, total, "words are compared")
    )


def _copies(
    rows: Sequence[_Row],
    first: int,
    nearest: Mapping[Pieces, list[str]],
    proposer: Proposer | None,
    asked: settings.Augment,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """The new rows of a part of the training rows, those left out in which nothing changed."""
    drawn = [_draws(seed, first + number, asked.copies, len(row.words)) for number, row in enumerate(rows)]
    chances = [draw[0] < asked.replace for draw in drawn]
    found = _candidates(rows, [chance.any(0).nonzero()[0].tolist() for chance in chances], nearest, proposer, asked)
    for number, row in enumerate(rows):
        for copy in range(asked.copies):
            others = []
            for which in chances[number][copy].nonzero()[0].tolist():
                names = found[number].get(which)
                if names:
                    others.append((row.words[which], names[int(drawn[number][1, copy, which] * len(names))]))
            if others:
                texts = replaced(row.texts, others)
                yield {
                    "row": first + number,
                    "text": texts[0],
                    **({"text_pair": texts[1]} if len(texts) > 1 else {}),
                    "words": len(row.words),
                    "replaced": len(others),
                }


def _draws(seed: int, row: int, copies: int, count: int) -> NDArray[np.float64]:
    """(2, copies, words) from 0 to 1: whether each word is replaced, and by which of its candidates."""
    return np.random.default_rng((seed, row)).random((2, copies, count))


def _candidates(
    rows: Sequence[_Row],
    numbers: Sequence[Sequence[int]],
    nearest: Mapping[Pieces, list[str]],
    proposer: Proposer | None,
    asked: settings.Augment,
) -> list[dict[int, list[str]]]:
    """Of each row what could stand in the place of some of its words, by the words' numbers."""
    found: list[dict[int, list[str]]] = []
    places: list[dict[int, int]] = []
    for row, some in zip(rows, numbers, strict=True):
        single = [number for number in some if proposer is not None and proposer.reaches(row.words[number])]
        places.append({row.words[number].first: number for number in single})
        found.append({number: nearest.get(row.words[number].pieces, []) for number in some if number not in single})
    if proposer is not None:
        wanted = [Asked(row.ids, row.types, [*at]) for row, at in zip(rows, places, strict=True)]
        for others, at, proposed in zip(found, places, proposer.propose(wanted, asked.candidates), strict=True):
            others |= {at[place]: names for place, names in proposed.items()}
    return found


def _pairs(rows: Rows, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """So many rows that are two training rows, one after the other."""
    generator = np.random.default_rng((seed, len(rows)))
    for _ in range(count):
        one, other = map(int, generator.choice(len(rows), 2, replace=False))
        yield {"rows": [one, other], "text": f"{rows.texts[one]} {rows.texts[other]}"}


def _copied(rows: Rows, context: Context) -> Iterator[dict[str, Any]]:
    """The saved copies."""
    for start in range(0, len(rows), PART):
        for line in _part(context, start).read_text(encoding="utf-8").split("\n")[:-1]:
            yield json.loads(line)


def _gather(given: Mapping[sources.Split, Rows], asked: settings.Augment, context: Context) -> None:
    """Write the new rows that are like no other row, and the counts."""
    rows = given["train"]
    learned = set(sources.folded(rows))
    judged = {*chain(*(sources.folded(given[split]) for split in ("validation", "test")))}
    counts, lines = Counter[str](), []
    for row in chain(_copied(rows, context) if asked.copies else (), _pairs(rows, asked.joined, context.seed)):
        kind = "joined" if "rows" in row else "changed"
        counts[kind] += 1
        key = _key(row)
        if key in judged or key in learned:
            counts["judged" if key in judged else "learned"] += 1
            continue
        learned.add(key)
        if kind == "changed":
            counts.update({name: row.pop(name) for name in ("words", "replaced")})
        lines.append(json.dumps(row, ensure_ascii=False))
    if not lines:
        raise InputError("augment: no new row came out. Raise `replace`, `copies` or `joined`, or leave out `augment`.")
    write_text(context.out / AUGMENTED, "\n".join(lines) + "\n")
    summary = {
        "rows": len(lines),
        "training_rows": len(rows),
        "words": counts["words"],
        "replaced": counts["replaced"],
        "joined": asked.joined,
        "left_out": {
            "unchanged": asked.copies * len(rows) - counts["changed"],
            "like_a_training_row_or_another_new_row": counts["learned"],
            "like_a_validation_or_test_row": counts["judged"],
        },
    }
    write_json(context.out / SUMMARY, summary)


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    pairs = [row["text_pair"]] if "text_pair" in row else None
    return next(iter(sources.folded(Rows([row["text"]], pairs, [UNLABELLED]))))
