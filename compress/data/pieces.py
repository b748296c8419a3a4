"""What a `tokenizer.json` says of its tokens: their numbers, and those without which some text could not be spelled.

Read as plain JSON, so that checks need neither torch nor transformers.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compress.errors import InputError

Entry = Mapping[str, Any]
"""The content of a `tokenizer.json`."""


def tokens(entry: Entry) -> dict[str, int]:
    """Every token with its number: those of the model and the added ones."""
    return model_tokens(entry) | {token["content"]: int(token["id"]) for token in entry["added_tokens"]}


def model_tokens(entry: Entry) -> dict[str, int]:
    """The tokens that texts are split into, without the added ones that the model does not know."""
    vocabulary = entry["model"]["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pieces with their scores, in the order of their numbers
        return {piece: number for number, (piece, _) in enumerate(vocabulary)}
    return {piece: int(number) for piece, number in vocabulary.items()}


def translation(entry: Entry, other: Entry) -> list[int] | None:
    """The number that each token of a tokenizer, an added one too, has in another one, by its own number; None if one is
    not there, or if the two, whose tokens are not all the same, are of different kinds.

    A number without a token is given the other's token 0, which is never read.
    """
    own, theirs = tokens(entry), tokens(other)
    alike = own == theirs or entry["model"].get("type") == other["model"].get("type")
    if not alike or not own.keys() <= theirs.keys():
        return None
    numbers = [0] * (max(own.values()) + 1)
    for token, number in own.items():
        numbers[number] = theirs[token]
    return numbers


def foreign(losses: list[str]) -> str:
    """The sentence for a loss that compares what happens inside two models whose tokens differ; `losses` will do."""
    return (
        "compares the inside of both models token by token, and the student has tokens that the teacher does not have. "
        f"Leave it out; what compares answers will do: {', '.join(losses)}."
    )


def needed(entry: Entry) -> set[int]:
    """The tokens that must stay so that any text that could be spelled still can: special ones, and the smallest pieces.

    Raises: InputError for a kind of tokenizer whose words have no smaller pieces, or that is not known
    """
    kind = str(entry["model"].get("type"))
    if kind not in _SMALLEST:
        raise InputError(f"a tokenizer of the kind {kind} cannot lose tokens. Known kinds: {', '.join(_SMALLEST)}.")
    known = tokens(entry)
    special = [token["content"] for token in entry["added_tokens"]]
    unknown = entry["model"].get("unk_token")
    special += [unknown] if unknown in known else []
    return {known[token] for token in [*special, *_SMALLEST[kind](entry["model"], set(special))]}


def refusal(entry: Entry, size: int | None) -> str | None:
    """Why a vocabulary cannot be cut to so many tokens, if so.

    Raises: InputError as `needed`
    """
    least, most = len(needed(entry)), len(tokens(entry))
    if size is None or least <= size < most:
        return None
    if size < least:
        return f"{size:,} is below the {least:,} tokens that any text needs to be spelled. Give at least {least}."
    return all_kept(most, size)


def all_kept(most: int, size: int) -> str:
    """The sentence for a vocabulary of `most` tokens that is cut to as many or more."""
    return f"the tokenizer has {most:,} tokens: cut to {size:,}, it keeps them all. Give less than {most}."


def parts(entry: Entry) -> dict[str, set[str]]:
    """The tokens that others are merged from, by the merged token: empty for kinds that do not merge."""
    found: dict[str, set[str]] = {}
    for left, right, made in merges(entry["model"]):
        found.setdefault(made, set()).update((left, right))
    return found


def merges(model: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The merges of a BPE model in order: left part, right part, and what they make."""
    prefix = model.get("continuing_subword_prefix") or ""
    for merge in model.get("merges", ()):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        yield left, right, left + (right.removeprefix(prefix) if prefix else right)


def _wordpiece(model: Mapping[str, Any], special: set[str]) -> Iterator[str]:
    """Single characters, at the beginning of a word and inside; and what holds a character that is no token by itself.

    Words are read from left to right, each time the longest piece, so that single characters spell them all. Google's
    vocabularies have every character in both forms.
    """
    prefix, known = model.get("continuing_subword_prefix", "##"), set(model["vocab"]) - special
    single = {token for token in known if len(token.removeprefix(prefix)) == 1}
    yield from single
    for token in known:
        begins = "" if token.startswith(prefix) else token[:1]
        inside = token.removeprefix(prefix)[len(begins) :]
        if not single.issuperset([*begins, *(prefix + letter for letter in inside)]):
            yield token


def _bpe(model: Mapping[str, Any], special: set[str]) -> Iterator[str]:
    """What no merge makes: the letters, or the 256 bytes."""
    made = {token for _, _, token in merges(model)}
    return (token for token in model["vocab"] if token not in made)


def _unigram(model: Mapping[str, Any], special: set[str]) -> Iterator[str]:
    """Single characters, bytes, the unknown piece, what holds a character that is no piece by itself, and the piece of
    the lowest score, which the cost of an unknown character is counted from."""
    pieces = [piece for piece, _ in model["vocab"]]
    single = {piece for piece in pieces if len(piece) == 1}
    yield from single
    yield from (piece for piece in pieces if piece not in special and not single.issuperset(piece))
    yield min(model["vocab"], key=lambda piece: piece[1])[0]
    if model.get("unk_id") is not None:
        yield pieces[model["unk_id"]]
    if model.get("byte_fallback"):
        yield from (f"<0x{byte:02X}>" for byte in range(256) if f"<0x{byte:02X}>" in pieces)


_SMALLEST: dict[str, Callable[[Mapping[str, Any], set[str]], Iterator[str]]] = {
    "WordPiece": _wordpiece,
    "BPE": _bpe,
    "Unigram": _unigram,
}
