"""Answers texts with the model beside this script: `python predict.py "turn on the light"`.

Without a text it reads one a line from standard input; the two texts of a pair are separated by a tab. Prints each
one's label and probability. Needs onnxruntime, numpy and tokenizers.
"""

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent


def keep(places: list[int], limit: int, side: str) -> list[int]:
    """At most `limit` of a text's tokens: its beginning, its end, or a quarter from the beginning and the rest from the end."""
    first = {"head": limit, "tail": 0, "head+tail": (limit + 2) // 4}[side]
    return places if len(places) <= limit else places[:first] + places[len(places) - (limit - first) :]


def places(sequence_ids: list[int | None], limit: int, side: str) -> list[int]:
    """The tokens that stay, as in training: all special ones, and of two texts as many of the longer one as fit."""
    special, one, two = ([i for i, text in enumerate(sequence_ids) if text == which] for which in (None, 0, 1))
    room = max(limit - len(special), 0)
    short = min(len(one), len(two), room // 2)
    first, second = (short, room - short) if len(one) <= len(two) else (room - short, short)
    return sorted(special + keep(one, first, side) + keep(two, second, side))


def main() -> None:
    """Print a line for every text."""
    parser = argparse.ArgumentParser(description="Answers texts with the model beside this script.")
    parser.add_argument("text", nargs="*", help="texts; read from standard input if left out")
    parser.add_argument("--model", help="model file, relative to this script")
    arguments = parser.parse_args()
    settings: dict[str, Any] = json.loads((HERE / "preprocess.json").read_text(encoding="utf-8"))
    tokenizer: Any = Tokenizer.from_file(str(HERE / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    file = str(HERE / (arguments.model or settings["file"]))
    session = onnxruntime.InferenceSession(
        file, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    for line in arguments.text or (line.rstrip("\r\n") for line in sys.stdin):
        encoding = tokenizer.encode(*line.split("\t", 1)) if settings["pair"] else tokenizer.encode(line)
        kept = places(encoding.sequence_ids, settings["max_length"], settings["truncation"])
        values = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feeds = {name: np.array([[values[name][i] for i in kept]], np.int64) for name in settings["inputs"]}
        (logits,) = session.run(["logits"], feeds)
        odds = np.exp(logits[0] - logits[0].max())
        best = int(odds.argmax())
        print(f"{settings['labels'][best]}\t{odds[best] / odds.sum():.4f}", flush=True)


if __name__ == "__main__":
    main()
