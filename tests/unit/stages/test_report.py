"""What the report says of trainings."""

import json
from pathlib import Path

from compress.stages import report
from compress.store import artifact


def test_phases_and_notes_are_told(tmp_path: Path) -> None:
    def epoch(number: float) -> dict:
        return {"epoch": number, "loss": 1.0, "parts": {}, "accuracy": 0.5}

    history = {
        "precision": "fp32",
        "devices": 2,
        "epochs": [epoch(1), epoch(2), epoch(2.5)],
        "phases": [{"epochs": [epoch(1), epoch(2)]}, {"epochs": [epoch(0.5)]}],
        "notes": ["states were stored"],
    }
    for name in ("distill/tiny", "measure"):
        with artifact.create(tmp_path / name, name, {}, "mark") as draft:
            (draft.folder / "history.json").write_text(json.dumps(history if name != "measure" else {"epochs": []}))
    made = {"distill/tiny": tmp_path / "distill" / "tiny"}
    first, second = report._stages(report.Needs(made=made, measured=tmp_path / "measure"))
    assert first.notes == (
        "forward pass in fp32 on 2 devices together",
        "2 phases of 2 + 0.5 epochs",
        "states were stored",
    )
    assert [point.epoch for point in first.history] == [1, 2, 2.5]
    assert second.notes == ()
