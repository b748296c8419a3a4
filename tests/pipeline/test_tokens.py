"""A whole run of students whose tokens are not their teacher's."""

from pathlib import Path

import project
import pytest
import spelling
import torch
from transformers import AutoTokenizer

from compress.cli.main import code
from compress.encoders import checkpoint
from compress.files import read_json

PIPELINE = project.PIPELINE.replace(
    project.PIPELINE[project.PIPELINE.index("students:") : project.PIPELINE.index("measure:")],
    """\
students:
  fewer:
    use: one-layer
    distill: {losses: {soft_label: 1, hidden_state: 1}, epochs: 1, learning_rate: 1e-3}
    prune: {vocabulary: 72, recover: {epochs: 1, learning_rate: 1e-3}}
  other:
    use: one-layer
    model: {folder: pretrained}
    distill: {losses: {soft_label: 1}, epochs: 1, learning_rate: 3e-3}
    prune: {heads: 0.25, vocabulary: {}, recover: {epochs: 6, learning_rate: 3e-3}}
export:
  - {target: onnxruntime, precision: fp32}
""",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    path = project.write(folder)
    path.write_text(PIPELINE.replace(", on: onnxruntime-int8", ""))
    tokenizer = spelling.tokenizer("roberta")
    checkpoint.save(spelling.model("roberta", len(tokenizer)), folder / "pretrained")
    tokenizer.save_pretrained(folder / "pretrained")
    assert code(["run", str(path), "--until", "prune"]) == 0
    return folder / "runs" / "demo"


@pytest.mark.parametrize(("student", "before"), [("fewer", None), ("other", 500)])
def test_the_students_read_their_own_tokens(student: str, before: int | None, finished: Path) -> None:
    folder = finished / "prune" / student
    tokenizer, model = AutoTokenizer.from_pretrained(folder), checkpoint.load(folder)
    told = read_json(folder / "structure.json")["vocabulary"]
    assert told["after"] == len(tokenizer) == model.config.vocab_size < told["before"]
    assert told["before"] == (before or len(AutoTokenizer.from_pretrained(finished / "teacher")))
    assert (told["train"] == 1) == (student == "other")
    rows = [line.split("\t") for line in project.rows(40, 88).splitlines()[1:]]
    texts = [text for _, text, _ in rows]
    assert not any(tokenizer.unk_token_id in ids for ids in tokenizer(texts)["input_ids"])
    with torch.no_grad():
        answers = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.argmax(-1)
    right = [model.config.id2label[int(answer)] == label for answer, (label, *_) in zip(answers, rows, strict=True)]
    assert sum(right) >= 36
