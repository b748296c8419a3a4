from pathlib import Path

import project
import pytest

from compress.errors import InputError
from compress.run import checks


def problems(folder: Path, *assignments: str) -> list[str]:
    with pytest.raises(InputError) as error:
        checks.load(project.write(folder), assignments)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        (
            "gate.slices=[{by: lable}]",
            "gate.slices.0.by: no such slicing `lable`. Did you mean `label`? Known: label, length.",
        ),
        ("gate.slices=[{by: label}, {by: label, on: int8}]", "gate.slices.1.on: no such export `int8`."),
        ("gate.fidelity={kl: 0.1, on: onnxruntime-int4}", "gate.fidelity.on: no such export `onnxruntime-int4`."),
        ("gate.calibration={ece: 0.1, on: onnxruntime-int4}", "gate.calibration.on: no such export"),
        ("gate.latency={p50_ms: 1, batch: 3}", "gate.latency.batch: 3 is not measured. Give one of measure.batch: 1."),
        ("gate.baseline=none.json", "gate.baseline: "),
    ],
)
def test_what_the_gate_names_must_be_there(assignment: str, said: str, tmp_path: Path) -> None:
    assert any(said in problem for problem in problems(tmp_path, assignment))


@pytest.mark.parametrize(
    "asked", ["slices=[{by: label}]", "fidelity={agreement: 0.9}", "fidelity={kl: 1}", "calibration={ece: 0.1}"]
)
def test_without_an_export_nothing_can_be_judged(asked: str, tmp_path: Path) -> None:
    found = problems(tmp_path, f"gate.{asked}", "gate.size={}", "export=[]")
    assert any("gate: nothing is exported, so nothing can be judged. Add `export`." in problem for problem in found)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        (
            "gate.accuracy={keep: 1}",
            "Note: gate.accuracy.keep: 1 leaves nothing to lose, which no number of rows shows",
        ),
        ("gate.accuracy={max_drop: 0}", "Note: gate.accuracy.max_drop: 0 leaves nothing to lose"),
        ("gate.fidelity={agreement: 1}", "Note: gate.fidelity.agreement: 1 can never be shown to hold"),
        (
            "gate.latency={p95_ms: 5}",
            "Note: gate.latency.p95_ms: 3 rounds cannot show that a 95th percentile holds, the answer will be `not "
            "comparable` or `fail`. Give measure.rounds: 30 or more.",
        ),
        ("gate.latency={p50_ms: 5}", None),
        ("gate.accuracy={keep: 1, confidence: 0.5}", None),
        ("gate.accuracy={keep: 0.99}", None),
    ],
)
def test_what_no_number_of_rows_can_show_is_noted(assignment: str, said: str | None, tmp_path: Path) -> None:
    found = list(checks.notes(checks.load(project.write(tmp_path), [assignment])))
    assert [note.startswith(said or "") for note in found] == ([True] if said else [])
