"""Run after run in one process: nothing is left behind, and nothing grows."""

import shutil
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
        "memory grew by 0.0 MB a run",
    ]
