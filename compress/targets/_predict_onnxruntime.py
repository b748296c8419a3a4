# Answers with the model beside it: python predict.py "turn on the light". A model of pairs takes two texts.
import json
import sys
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

here, texts = Path(__file__).resolve().parent, sys.argv[1:]
facts = json.loads((here / "preprocess.json").read_text("utf-8"))
if len(texts) != facts["texts"]:
    sys.exit(f"Give {facts['texts']} text(s) in quotes.")
row = Tokenizer.from_file(str(here / "tokenizer.json")).encode(texts[0], texts[1] if texts[1:] else None)
places = sorted(([place for place, text in enumerate(row.sequence_ids) if text == n] for n in (0, 1)), key=len)
share, gone = {"head": 1, "tail": 0, "head+tail": 0.25}[facts["truncation"]], []  # share: kept at a text's beginning
for _ in range(facts["max_length"], len(row)):
    longer = max(places, key=len)
    gone.append(longer.pop(int(share * (len(longer) - 1) + 0.5)))
kept = np.delete(np.array([row.ids, row.attention_mask, row.type_ids], np.int64), gone, axis=1)
session = InferenceSession(here / facts["file"], None, ["CPUExecutionProvider"], **facts["settings"])
logits = session.run(["logits"], dict(zip(facts["inputs"], kept[:, None], strict=False)))[0][0]
print(f"{facts['labels'][logits.argmax()]}\t{1 / np.exp(logits - logits.max()).sum():.4f}")
