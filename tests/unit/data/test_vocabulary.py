"""WordPiece vocabularies learned from rows."""

import subprocess
import sys

from compress.config.settings import Vocabulary
from compress.data import vocabulary

TEXTS = ["turn on the lamp in the kitchen", "Turning off the lamps", "play a song", "playing songs in the kitchen"] * 3


def test_known_words_are_spelled_without_unknown_pieces() -> None:
    tokenizer = vocabulary.learn(TEXTS, Vocabulary(size=120), max_length=32)
    assert "[UNK]" not in tokenizer.tokenize("turning the songs lamp")
    assert tokenizer.tokenize("kitchen") == ["kitchen"]
    assert tokenizer("play a song", "the lamp")["token_type_ids"] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.decode(tokenizer("play a song")["input_ids"], skip_special_tokens=True) == "play a song"
    assert len(tokenizer) <= 120


def test_the_pieces_of_letters_are_no_special_tokens() -> None:
    tokenizer = vocabulary.learn(TEXTS, Vocabulary(size=120), max_length=32)
    assert set(tokenizer.all_special_tokens) == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    assert "##a" in tokenizer.get_vocab()
    assert tokenizer.tokenize("##a") != ["##a"]


def test_another_process_learns_the_same() -> None:
    script = (
        "from compress.data import vocabulary; from compress.config.settings import Vocabulary; "
        f"print(sorted(vocabulary.learn({TEXTS!r}, Vocabulary(size=120), max_length=32).get_vocab().items()))"
    )
    said = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(said) == 1
