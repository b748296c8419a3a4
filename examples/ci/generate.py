"""Writes data/train.tsv, validation.tsv and test.tsv beside this script: messages to a shop, the same bytes every time.

Usage: python examples/ci/generate.py [folder]
"""

import sys
from itertools import product
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ROWS = {"train": 600, "validation": 100, "test": 1000}

MESSAGES = {
    "delivery": ("where is my {}", "the {} has not arrived", "when will the {} be shipped", "track the {}"),
    "payment": ("i was charged twice for the {}", "the invoice of the {} is wrong", "refund the price of my {}"),
    "repair": ("the {} is broken", "my {} does not turn on", "the {} stopped working", "can you fix the {}"),
    "account": ("change the password of my account with the {}", "i cannot log in to register the {}"),
}
THINGS = ("lamp", "kettle", "radio", "printer", "camera", "fan", "heater", "phone", "clock", "toaster", "speaker")
OPENERS = ("", "hello ", "hi there ", "good morning ", "excuse me ", "dear shop ")
CLOSERS = ("", " please", " thanks", " please help", " again", " since monday", " as i said")


def generate(folder: Path) -> None:
    """Write the three files; no message is in two of them."""
    drawn = Random(5)
    by_label = {
        label: ["".join((opener, phrase.format(thing), closer)) for opener, phrase, thing, closer in found]
        for label, phrases in MESSAGES.items()
        for found in [list(product(OPENERS, phrases, THINGS, CLOSERS))]
    }
    for messages in by_label.values():
        drawn.shuffle(messages)
    for split, rows in ROWS.items():
        taken = [(label, by_label[label].pop()) for label in by_label for _ in range(rows // len(by_label))]
        drawn.shuffle(taken)
        text = "".join(f"{label}\t{message}\n" for label, message in [("label", "text"), *taken])
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data")
