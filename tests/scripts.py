"""The script of an exported folder, beside the session of its file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import graphs
import numpy
import pytest
import tiny

from compress.targets import Session, Target

LABELS = ["no", "perhaps", "yes"]
LINES = ["turn on the light", "", "great film", "light off", "turn off the movie"]


def check(target: Target, folder: Path, file: str, settings: dict[str, Any], session: Session) -> None:
    """That a script answers lines, and a text in its call, as the session answers each by itself."""
    tokenizer = tiny.tokenizer(folder)
    assert target.predict is not None
    (folder / "predict.py").write_bytes(target.predict.read_bytes())
    facts = {"labels": LABELS, "max_length": 12, "truncation": "head", "texts": 1, "inputs": list(graphs.feeds())}
    facts |= {"file": file, "settings": settings, "batch": 2}
    (folder / "preprocess.json").write_text(json.dumps(facts))
    rows: list[Any] = [tokenizer(line, return_tensors="np") for line in LINES]
    answers = [session({name: value.astype(numpy.int64) for name, value in row.items()})[0] for row in rows]
    command = [sys.executable, "-I", "-W", "ignore", str(folder / "predict.py")]
    for given, lines, expected in ([], LINES, answers), (LINES[:1], [], answers[:1]):
        said = "".join(f"{line}\n" for line in lines)
        done = subprocess.run([*command, *given], input=said, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed = [line.split("\t") for line in done.stdout.splitlines()]
        assert [label for label, _ in printed] == [LABELS[logits.argmax()] for logits in expected]
        odds = [numpy.exp(logits.astype(float)) for logits in expected]
        most = [one.max() / one.sum() for one in odds]
        assert [float(share) for _, share in printed] == pytest.approx(most, abs=6e-5)
