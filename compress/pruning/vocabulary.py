"""Fewer tokens: which ones stay, the tokenizer written anew for them, and the model's word embeddings put in its order."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from compress.config.settings import KeptTokens
from compress.data import pieces
from compress.encoders.families import family_of
from compress.encoders.modeling_compress import FactoredEmbedding
from compress.encoders.modules import embeddings
from compress.errors import CompressError, InputError
from compress.files import read_json, write_json

_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""What a tokenizer is loaded from; vocabulary files of older kinds would hold the old tokens."""


def entry_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The content of a tokenizer's `tokenizer.json`."""
    backend: Any = tokenizer.backend_tokenizer
    return cast("dict[str, Any]", json.loads(backend.to_str()))


def choose(tokenizer: PreTrainedTokenizerBase, counts: NDArray[np.int64], asked: KeptTokens) -> list[int]:
    """The tokens that stay, by their numbers, in their new order.

    Those that any text needs (`pieces.needed`), then the others from the most frequent down, among equals the lower
    number first: it was learned earlier, from more text. A token whose parts do not fit in any more is passed over.
    Special tokens keep their numbers where the new vocabulary reaches them; the others close up.

    Shapes: counts (tokens,), how often each occurs in the rows; tokens beyond its end do not occur
    Raises: InputError if the size is below what any text needs or leaves nothing out, or for a kind of tokenizer that
    cannot lose tokens
    """
    entry = entry_of(tokenizer)
    if refused := pieces.refusal(entry, asked.size):
        raise InputError(refused)
    known, merged = pieces.tokens(entry), pieces.parts(entry)
    least = asked.min_frequency if asked.min_frequency is not None else int(asked.size is None)
    seen = dict(enumerate(counts.tolist()))
    kept = pieces.needed(entry) | {*tokenizer.all_special_ids}
    for token, number in sorted(known.items(), key=lambda item: (-seen.get(item[1], 0), item[1])):
        if seen.get(number, 0) < least:
            break
        new = {known[part] for part in _whole(token, merged)} - kept
        if asked.size is None or len(kept) + len(new) <= asked.size:
            kept |= new
    return _numbered(kept, entry)


def _whole(token: str, merged: Mapping[str, set[str]]) -> set[str]:
    """A token with all that it is merged from."""
    found, waiting = {token}, [token]
    while waiting:
        new = merged.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _numbered(kept: set[int], entry: pieces.Entry) -> list[int]:
    """Kept tokens in their new order; those that the model itself does not know stay behind it."""
    inside = kept & set(pieces.model_tokens(entry).values())
    special = {token["id"] for token in entry["added_tokens"]} & inside
    stay = {number for number in special if number < len(inside)}
    rest = iter(sorted(inside - stay))
    return [*(place if place in stay else next(rest) for place in range(len(inside))), *sorted(kept - inside)]


def rewritten(entry: pieces.Entry, kept: Sequence[int]) -> dict[str, Any]:
    """A `tokenizer.json` with the kept tokens alone, each numbered by its place among them."""
    made: dict[str, Any] = json.loads(json.dumps(entry))
    place = {number: new for new, number in enumerate(kept)}
    model = made["model"]
    tokens = {token: place[number] for token, number in pieces.model_tokens(entry).items() if number in place}
    tokens = dict(sorted(tokens.items(), key=lambda item: item[1]))
    if isinstance(model["vocab"], list):
        scores = dict(model["vocab"])
        model["vocab"] = [[piece, scores[piece]] for piece in tokens]
        model["unk_id"] = None if model.get("unk_id") is None else place[model["unk_id"]]
    else:
        model["vocab"] = tokens
    if "merges" in model:
        whole = zip(model["merges"], pieces.merges(model), strict=True)
        model["merges"] = [merge for merge, named in whole if tokens.keys() >= {*named}]
    made["added_tokens"] = [{**token, "id": place[token["id"]]} for token in made["added_tokens"]]
    made["added_tokens"].sort(key=lambda token: token["id"])
    _renumber(made.get("post_processor"), place)
    if made.get("padding"):
        made["padding"]["pad_id"] = place[made["padding"]["pad_id"]]
    return made


def _renumber(processor: Any, place: Mapping[int, int]) -> None:
    """Set the numbers that a post-processor knows of special tokens."""
    if not processor:
        return
    for inner in processor.get("processors", ()):
        _renumber(inner, place)
    for special in processor["special_tokens"].values() if processor["type"] == "TemplateProcessing" else ():
        special["ids"] = [place[number] for number in special["ids"]]
    for key in ("cls", "sep"):
        if isinstance(processor.get(key), list):
            token, number = processor[key]
            processor[key] = [token, place[number]]


def shrunk(tokenizer: PreTrainedTokenizerBase, kept: Sequence[int]) -> PreTrainedTokenizerBase:
    """The tokenizer with the kept tokens alone; texts of these are split as before.

    Raises: CompressError if transformers reads other tokens back than were written
    """
    entry = rewritten(entry_of(tokenizer), kept)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        for file in folder.iterdir():
            if file.name not in _FILES:
                file.unlink()
        write_json(folder / "tokenizer.json", entry)
        config = read_json(folder / "tokenizer_config.json")
        place = {str(number): str(new) for new, number in enumerate(kept)}
        if "added_tokens_decoder" in config:
            config["added_tokens_decoder"] = {
                place[number]: token for number, token in config["added_tokens_decoder"].items()
            }
            write_json(folder / "tokenizer_config.json", config)
        made = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    same = all(entry_of(made)["model"].get(key) == entry["model"].get(key) for key in ("vocab", "merges", "unk_id"))
    if not same or made.get_vocab() != pieces.tokens(entry):
        raise CompressError(f"the {type(tokenizer).__name__} does not read its tokens back as they were written.")
    return made


def shrink(model: PreTrainedModel, kept: Sequence[int]) -> None:
    """Leave a model, in place, the word embeddings of the kept tokens, in their order, and number the tokens in its config.

    Raises: InputError if the numbers of positions hang on the padding token and that would get another number
    """
    place = {number: new for new, number in enumerate(kept)}
    row = family_of(model)
    padding = model.config.pad_token_id if row.padding is None else row.padding
    if row.positions_after_padding and padding is not None and place.get(padding) != padding:
        raise InputError(f"a {model.config.model_type} model must keep the number {padding} of its padding token.")
    whole = embeddings(model).word
    rows = whole.weight.detach()[torch.tensor(kept, device=whole.weight.device)]
    padded = None if whole.padding_idx is None else place[whole.padding_idx]
    made = nn.Embedding(len(kept), whole.embedding_dim, padded, _weight=rows, _freeze=not whole.weight.requires_grad)
    if isinstance(whole, FactoredEmbedding):
        made = whole
        made.weight, made.num_embeddings = nn.Parameter(rows, requires_grad=whole.weight.requires_grad), len(kept)
        made.padding_idx = padded
    model.set_input_embeddings(made.train(whole.training))
    configs = {id(part.config): part.config for part in model.modules() if isinstance(part, PreTrainedModel)}
    for config in configs.values():
        for key, value in vars(config).items():
            if key.endswith("_token_id") and value is not None:
                setattr(config, key, _moved(value, place))
        config.vocab_size = len(kept)


def _moved(number: int | Iterable[int], place: Mapping[int, int]) -> Any:
    """The new number of a token, or of several; None for what was no token that stays."""
    return place.get(number) if isinstance(number, int) else [place[one] for one in number if one in place]
