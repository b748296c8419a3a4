"""A student's vocabulary cut to the tokens of its rows."""

import numpy as np
from transformers import PreTrainedTokenizerBase

from compress.config import settings
from compress.data.batches import Encoded
from compress.data.sources import Rows
from compress.errors import InputError, Problem
from compress.pruning.vocabulary import choose, shrink, shrunk
from compress.stages.context import Context
from compress.stages.lesson import Reader
from compress.stages.material import as_read, called, encoded


def fewer_tokens(
    student: Reader, asked: settings.KeptTokens, learned: Rows, task: settings.Task, context: Context
) -> tuple[Reader, dict[str, float]]:
    """The student, its model changed in place, with fewer tokens of the rows it learned from; how many it had and has,
    and the share of the tokens in these and in the validation rows that are still whole.

    Raises: InputError if so many tokens cannot be kept; as `encoded`
    """
    model, tokenizer = student
    train = as_read(learned, task, tokenizer, model, called(context))
    validation = encoded("validation", task, context.root, tokenizer, model, called(context))
    try:
        kept = choose(tokenizer, np.bincount(train.ids), asked)
        shrink(model, kept)
    except InputError as error:
        place = f"students.{context.name.partition('/')[2]}.prune.vocabulary"
        raise InputError([Problem(place, problem.what) for problem in error.problems]) from error
    shares = {split: _whole(rows, kept, tokenizer) for split, rows in (("train", train), ("validation", validation))}
    return Reader(model, shrunk(tokenizer, kept)), {"before": len(tokenizer), "after": len(kept), **shares}


def _whole(rows: Encoded, kept: list[int], tokenizer: PreTrainedTokenizerBase) -> float:
    """The share of the rows' tokens, special ones aside, that are among the kept ones."""
    read = rows.ids[~np.isin(rows.ids, tokenizer.all_special_ids)]
    return float(np.isin(read, kept).mean()) if len(read) else 1.0
