"""A student cut in every way there is, trained on inner losses before and after."""

import dataclasses
from pathlib import Path
from typing import Any

import project
import pytest

from compress.cli.main import code
from compress.encoders import checkpoint
from compress.files import read_json
from compress.stages import prune
from compress.stages.context import Context

PIPELINE = project.PIPELINE.replace(
    project.PIPELINE[project.PIPELINE.index("students:") : project.PIPELINE.index("measure:")],
    """\
students:
  every:
    use: one-layer
    architecture: {layers: 2}
    start_layers: [0, 1]
    distill: {losses: {soft_label: 1, hidden_state: 1, attention: 1, embedding: 1}, layer_mapping: dynamic, epochs: 1}
    prune:
      vocabulary: {}
      hidden: 24
      embedding_rank: 8
      target: {flops: 0.3}
      blocks: true
      multiple: 4
      rows: 32
      recover: {epochs: 2, learning_rate: 3e-3, batch_size: 8, checkpoint_steps: 2}
export:
  - {target: onnxruntime, precision: fp32}
""",
).replace(", on: onnxruntime-int8", "")


def project_in(folder: Path) -> Path:
    path = project.write(folder)
    path.write_text(PIPELINE)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = project_in(tmp_path_factory.mktemp("every"))
    assert code(["run", str(path)]) == 0
    return path.parent / "runs" / "demo"


def test_it_is_cut_in_every_way_and_the_exported_file_agrees(finished: Path) -> None:
    made = read_json(finished / "prune" / "every" / "structure.json")
    assert made["target"]["kind"] == "flops"
    assert made["target"]["reached"] <= 0.3
    assert made["widths"] == {"hidden": {"before": 32, "after": 24}, "embedding_rank": {"before": 32, "after": 8}}
    assert made["vocabulary"]["after"] < made["vocabulary"]["before"]
    history = read_json(finished / "prune" / "every" / "history.json")
    assert history["epochs"][-1]["parts"].keys() == {"soft_label", "hidden_state", "attention", "embedding"}
    [built] = read_json(finished / "export" / "every" / "onnxruntime" / "export.json")["files"]
    assert built["parity"]["max_abs"] < 1e-4
    assert checkpoint.load(finished / "prune" / "every").config.hidden_size == 24


def test_its_recovery_goes_on_where_it_was_stopped(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project_in(tmp_path)
    assert code(["run", str(path), "--until", "distill"]) == 0
    learn = prune.learn

    def stopped(smaller: Any, teacher: Any, lesson: Any, how: Any, context: Context, *rest: Any) -> Any:
        def notify(done: int, total: int, note: str) -> None:
            if done == 6 and total == 16:
                raise KeyboardInterrupt

        return learn(smaller, teacher, lesson, how, dataclasses.replace(context, notify=notify), *rest)

    monkeypatch.setattr(prune, "learn", stopped)
    assert code(["run", str(path), "--until", "prune"]) == 130
    monkeypatch.setattr(prune, "learn", learn)
    assert code(["run", str(path), "--until", "prune"]) == 0
    weights = [root / "prune" / "every" / "model.safetensors" for root in (finished, tmp_path / "runs" / "demo")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
