"""What stands beside an exported file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch

from compress.config import settings
from compress.encoders import checkpoint
from compress.stages.context import Context
from compress.stages.export import Needs, Settings, export

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
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *SENTENCE.split()[-10:], "[SEP]"])
    with torch.no_grad():
        odds = model(input_ids=torch.tensor([ids])).logits.softmax(-1)[0]
    command = [sys.executable, "-I", str(out / "predict.py"), SENTENCE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    label, probability = done.stdout.split()
    assert label == model.config.id2label[int(odds.argmax())]
    assert float(probability) == pytest.approx(float(odds.max()), abs=1e-3)
