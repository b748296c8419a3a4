"""Accuracy is measured as a device is asked: one row at a time."""

from pathlib import Path

import graphs
import numpy as np
import tiny

from compress.config import settings
from compress.data.batches import encode, feeds
from compress.data.sources import Rows
from compress.quantization.dynamic import dynamic
from compress.stages import measure
from compress.targets.onnxruntime import onnxruntime


def test_an_int8_answer_does_not_depend_on_the_other_rows(tmp_path: Path) -> None:
    task = settings.Task(
        type="text-classification", data=settings.Data(train="a.tsv", validation="b.tsv"), max_length=32
    )
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(tiny.WORDS, generator.integers(1, 24))) for _ in range(300)]
    rows = encode(Rows(texts, None, [0] * len(texts)), tiny.tokenizer(tmp_path), task)
    file = tmp_path / "model.onnx"
    dynamic(graphs.graph(), file, lambda: [])
    session = onnxruntime.open(file, {}, threads=1)

    def answers(size: int) -> list[int]:
        return [int(answer) for _, feed in feeds(rows, size, order="given") for answer in session(feed).argmax(-1)]

    candidate = measure._Candidate("tiny", "onnxruntime", "int8", None, file, {}, {})
    assert measure._answers(candidate, rows, task).tolist() == answers(1)
    assert answers(8) != answers(1)
