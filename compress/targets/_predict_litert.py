# Answers with the model beside it: python predict.py "turn on the light". A model of pairs takes two texts.
# Without a text it reads lines (the texts of a pair with a tab between them) and answers each with a line.
import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tokenizers import Tokenizer

here, asked = Path(__file__).resolve().parent, sys.argv[1:]
facts = json.loads((here / "preprocess.json").read_text("utf-8"))
lines = [] if asked or sys.stdin.isatty() else [line.decode().rstrip("\r\n") for line in sys.stdin.buffer]
rows = [asked] if asked else [line.split("\t", facts["texts"] - 1) for line in lines]
if not rows or any(len(texts) != facts["texts"] for texts in rows):
    sys.exit(f"Give {facts['texts']} text(s) in quotes, or lines of {facts['texts']} with tabs between them.")
share = {"head": 1, "tail": 0, "head+tail": 0.25}[facts["truncation"]]  # kept at a text's beginning
kept = []
tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))
for full in tokenizer.encode_batch([tuple(texts) if texts[1:] else texts[0] for texts in rows]):
    places, gone = [[place for place, text in enumerate(full.sequence_ids) if text == n] for n in (0, 1)], []
    places.sort(key=len)
    for _ in range(facts["max_length"], len(full)):
        longer = max(places, key=len)
        gone.append(longer.pop(int(share * (len(longer) - 1) + 0.5)))
    kept.append(np.delete(np.array([full.ids, full.attention_mask, full.type_ids], np.int64), gone, axis=1))
lengths = np.array([row.shape[1] for row in kept])
logits = np.empty((len(rows), len(facts["labels"])), np.float32)
session, room = Interpreter(str(here / facts["file"])), facts["settings"]
sizes = [int(name.removeprefix("tokens_")) for name in session.get_signature_list()]
for length in np.unique(lengths):  # rows of one length need no padding
    same = np.flatnonzero(lengths == length)
    for call in np.split(same, list(range(facts["batch"], len(same), facts["batch"]))):
        inputs = np.stack([kept[number] for number in call], axis=1)
        size = min(size for size in sizes if size >= length)  # rows go one by one, padded to a length that it knows
        sides = (0, 0), ((size - length, 0) if room["left"] else (0, size - length))
        fills = zip(inputs.astype(np.int32), [room["pad_id"], 0, 0], strict=True)
        filled = [np.pad(values, sides, constant_values=fill) for values, fill in fills]
        for place, number in enumerate(call):
            given = {name: values[[place]] for name, values in zip(facts["inputs"], filled, strict=False)}
            logits[number] = next(iter(session.get_signature_runner(f"tokens_{size}")(**given).values()))[0]
for row in logits:
    print(f"{facts['labels'][row.argmax()]}\t{1 / np.exp(row - row.max()).sum():.4f}")
