"""Run after run in one process: nothing is left behind, and nothing grows."""

import shutil
import sys
import tempfile
from pathlib import Path

import project
import pytest
import soak

from compress.cli.main import code

_SHORT = [
    "--set",
    "teacher.train.epochs=1",
    "--set",
    "students={small: {use: one-layer}}",
    "--set",
    "export=[{target: onnxruntime, precision: [fp32, int8]}]",
    "--until",
    "export/small/onnxruntime",
]


def test_three_runs_leave_no_temporary_file_and_hold_no_more_threads_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    path = project.write(tmp_path / "project")
    seen = []
    for _ in range(3):
        assert code(["run", str(path), *_SHORT]) == 0
        assert list(temporary.iterdir()) == []
        held = soak.held()
        seen.append({name: held[name] for name in ("threads", "open_files")})
        shutil.rmtree(path.parent / "runs")
    assert tempfile.gettempdir() == str(temporary)
    assert seen[2] == seen[1]


def test_growth_is_called_out() -> None:
    steady = [dict.fromkeys(soak.FIGURES, 1000) for _ in range(6)]
    assert soak.growth(steady) == []
    leaking = [{**one, "memory_bytes": 1000 + 50 * number, "threads": number} for number, one in enumerate(steady)]
    assert soak.growth(leaking) == [
        "threads grew from 1 after the second run to 5 after the last",
        "memory grew by 0.00 MB a run",
    ]


@pytest.mark.parametrize(("rate", "told"), [(0.0045, ["memory grew by 4.22 MB a run"]), (0.0009, [])])
def test_slow_growth_of_memory_is_told_from_its_scatter(rate: float, told: list[str]) -> None:
    scatter = [0, 6, -5, 2, 7, -6, 1, -3, 5, -1]
    seen = [
        {**dict.fromkeys(soak.FIGURES, 10), "memory_bytes": round(900e6 * (1 + rate * run)) + scatter[run % 10] * 10**6}
        for run in range(20)
    ]
    assert soak.growth(seen) == told


def test_too_few_runs_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["soak.py", "--runs", "4"])
    with pytest.raises(SystemExit, match="2"):
        soak.main()
    assert "--runs: 4; growth shows in 5 runs or more" in capsys.readouterr().err
