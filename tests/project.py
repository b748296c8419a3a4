"""A whole project on tiny data, for tests of plans, runs and commands."""

from pathlib import Path

PIPELINE = """\
name: demo
task:
  type: text-classification
  data: {train: train.tsv, validation: dev.tsv, test: test.tsv}
  max_length: 16
teacher:
  use: own
students:
  small:
    use: one-layer
    prune: {heads: 0.5, neurons: 0.5, rows: 16}
  narrow:
    use: thin
export:
  - {target: onnxruntime, precision: [fp32, fp16, int8]}
measure: {batch: 1, sequence: [8], rounds: 3}
gate:
  size: {max_mb: 5, on: onnxruntime-int8}
"""

TEACHER = """\
name: own
title: a tiny teacher with its own vocabulary
source: none
license: MIT
language: en
family: bert
model:
  scratch:
    architecture: {layers: 2, hidden: 32, heads: 4, intermediate: 64}
    vocabulary: {size: 200}
    max_positions: 32
architecture: {layers: 2, hidden: 32, heads: 4, intermediate: 64}
train: {epochs: 20, learning_rate: 3e-3, batch_size: 16}
"""

ONE_LAYER = """\
name: one-layer
title: one layer of the teacher
source: none
architecture: {layers: 1}
distill: {losses: {soft_label: 1}, epochs: 2, learning_rate: 1e-3}
"""

THIN = """\
name: thin
title: narrower than the teacher
source: none
architecture: {layers: 1, hidden: 16, heads: 4, intermediate: 32}
distill: {losses: {soft_label: 1, hidden_state: 1, attention: 1, embedding: 1}, epochs: 1, learning_rate: 1e-3}
"""

_ROOMS = ("kitchen", "bedroom", "hall", "office", "garage", "garden", "attic", "cellar")
_FILLERS = ("now", "please", "thanks", "quickly", "again")
_SAYINGS = {
    "light": ("turn on the lamp in the {}", "{} light please"),
    "music": ("play a song in the {}", "{} needs jazz"),
}


def rows(number: int, first: int = 0) -> str:
    """A TSV of so many rows."""
    lines = ["label\ttext\troom"]
    for index in range(first, first + number):
        label = ("light", "music")[index % 2]
        room = _ROOMS[index // 4 % len(_ROOMS)]
        saying = _SAYINGS[label][index // 2 % 2].format(room)
        lines.append(f"{label}\t{saying} {_FILLERS[index % len(_FILLERS)]}\t{room}")
    return "\n".join(lines) + "\n"


def write(folder: Path) -> Path:
    """Write the project; gives its pipeline file."""
    files = {
        "pipeline.yaml": PIPELINE,
        "teachers/own.yaml": TEACHER,
        "students/one-layer.yaml": ONE_LAYER,
        "students/thin.yaml": THIN,
        "train.tsv": rows(64),
        "dev.tsv": rows(24, 64),
        "test.tsv": rows(40, 88),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "pipeline.yaml"
