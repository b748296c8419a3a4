"""What the report says of stages."""

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


def test_the_counts_of_an_augmentation_are_told() -> None:
    left_out = {"unchanged": 5, "like_a_training_row_or_another_new_row": 1, "like_a_validation_or_test_row": 2}
    counts = {"rows": 1220, "training_rows": 640, "left_out": left_out}
    out = "left out 5 that came out unchanged, 1 like a training row or each other, 2 like a validation or test row"
    copies = report._augmented({**counts, "words": 700, "replaced": 350, "joined": 0})
    assert copies == f"1,220 new rows from 640: 50% of the words of copies replaced; {out}"
    joined = report._augmented({**counts, "words": 0, "replaced": 0, "joined": 1228})
    assert joined == f"1,220 new rows from 640: 1,228 drawn of two rows joined; {out}"
