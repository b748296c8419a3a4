"""What stands beside an exported file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from compress.config import settings
from compress.encoders import checkpoint
from compress.errors import ParityError
from compress.stages.context import Context
from compress.stages.export import Needs, Settings, _parity, export
from compress.targets import Feeds
from compress.targets.onnxruntime import OnnxRuntime

SENTENCE = "the light on " * 10 + "a great film"


def test_the_script_beside_the_files_cuts_as_training_whatever_the_tokenizer_was_saved_with(tmp_path: Path) -> None:
    model, tokenizer = tiny.model(labels=2), tiny.tokenizer(tmp_path)
    model.config.id2label = {0: "off", 1: "on"}
    checkpoint.save(model, tmp_path / "model")
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=50)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    for file in tmp_path.glob("tokenizer*.json"):
        file.rename(tmp_path / "model" / file.name)
    (tmp_path / "rows.tsv").write_text(f"label\ttext\non\t{SENTENCE}\noff\ta dull film\n")
    task = settings.Task(
        type="text-classification",
        data=settings.Data(train="rows.tsv", validation="rows.tsv"),
        max_length=12,
        truncation="tail",
    )
    out, work = tmp_path / "out", tmp_path / "work"
    work.mkdir()
    context = Context("export/tiny/onnxruntime", out, work, tmp_path, 0, lambda done, total, note: None)
    asked = settings.Export(target="onnxruntime", precision=("fp32",))
    export(Settings(task, asked), Needs(tmp_path / "model"), context)

    saved = json.loads((out / "tokenizer.json").read_text())
    assert saved["truncation"] is saved["padding"] is None
    limits = json.loads((out / "tokenizer_config.json").read_text())
    assert (limits["model_max_length"], limits["truncation_side"]) == (12, "left")
    assert json.loads((out / "preprocess.json").read_text())["batch"] == 32
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *SENTENCE.split()[-10:], "[SEP]"])
    with torch.no_grad():
        odds = model(input_ids=torch.tensor([ids])).logits.softmax(-1)[0]
    command = [sys.executable, "-I", str(out / "predict.py"), SENTENCE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    label, probability = done.stdout.split()
    assert label == model.config.id2label[int(odds.argmax())]
    assert float(probability) == pytest.approx(float(odds.max()), abs=1e-3)


@pytest.mark.parametrize(("broken", "who"), [(0, "PyTorch"), (1, "tiny fp16")])
def test_logits_that_are_no_numbers_fail(broken: int, who: str) -> None:
    pair = np.zeros((2, 5, 3), np.float32)
    pair[broken, 3, 1] = np.nan
    with pytest.raises(ParityError, match=f"tiny fp16: of 5 validation rows, {who} answers 1 with NaN .* row 3 "):
        _parity("tiny fp16", *pair, share=1)


class Bounded(OnnxRuntime):
    """Counts the rows of each call."""

    bounded = True

    def __init__(self) -> None:
        self.rows: list[int] = []

    def open(self, *asked: Any, **more: Any) -> Any:
        opened = super().open(*asked, **more)

        class Session:
            close = opened.close

            def __call__(_, feeds: Feeds) -> Any:
                self.rows.append(len(feeds["input_ids"]))
                return opened(feeds)

        return Session()


def test_a_file_for_small_calls_is_compared_in_small_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.tokenizer(tmp_path)
    checkpoint.save(tiny.model(labels=2), tmp_path / "model")
    for file in tmp_path.glob("tokenizer*.json"):
        file.rename(tmp_path / "model" / file.name)
    rows = "".join(f"{index % 2}\tthe light {'on ' * index}\n" for index in range(5))
    (tmp_path / "rows.tsv").write_text(f"label\ttext\n{rows}")
    task = settings.Task(
        type="text-classification", data=settings.Data(train="rows.tsv", validation="rows.tsv"), max_length=12
    )
    (tmp_path / "work").mkdir()
    context = Context("export/tiny/x", tmp_path / "out", tmp_path / "work", tmp_path, 0, lambda *told: None)
    target = Bounded()
    monkeypatch.setattr("compress.targets.onnxruntime.onnxruntime", target)
    asks = settings.Export(target="onnxruntime", precision=("fp32",), max_batch=2)
    export(Settings(task, asks), Needs(tmp_path / "model"), context)
    assert max(target.rows) == 2
    assert json.loads((tmp_path / "out" / "preprocess.json").read_text())["batch"] == 2
