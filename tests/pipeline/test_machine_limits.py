"""A machine that gives out, for real: full disks, read-only folders, limits of files and of memory, killed processes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import project
import pytest

from compress.cli.main import code
from compress.files import sha256

resource = pytest.importorskip("resource", reason="needs limits as Unix has them")

COMMAND = [
    "--set",
    "students={small: {use: one-layer, prune: {heads: 0.5, neurons: 0.5, rows: 16}}}",
    "--set",
    "teacher.train.checkpoint_steps=20",
    "--until",
]
STEPS = ("teacher", "distill", "prune", "export")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert code(["run", str(project.write(folder)), *COMMAND, "export"]) == 0
    return made(folder)


@pytest.fixture
def disk(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A small disk for the runs of a project: called with mount options, it takes them on."""
    place = tmp_path / "runs"
    place.mkdir()

    def mount(options: str, *, first: bool = False) -> None:
        again = [] if first else ["-o", "remount"]
        done = subprocess.run(
            ["mount", "-t", "tmpfs", *again, "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode and first:
            pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
        assert not done.returncode, done.stderr

    if sys.platform != "linux" or os.geteuid():
        pytest.skip("mounting a small disk needs root on Linux")
    mount("size=48k", first=True)
    yield mount
    subprocess.run(["umount", str(place)], check=True)


def made(folder: Path) -> dict[str, str]:
    files = [path for kind in ("safetensors", "onnx") for path in (folder / "runs").rglob(f"*.{kind}")]
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def stopped(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str | None:
    """The one line that says what gave out; None if nothing did."""
    capsys.readouterr()
    ended = code(arguments)
    lines = capsys.readouterr().err.splitlines()
    if not ended:
        return None
    assert ended == 4
    (line,) = lines
    assert "then the same command goes on" in line
    return line


@pytest.mark.parametrize("size", [300, 20_000])
def test_files_that_may_not_grow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], undisturbed: dict[str, str], size: int
) -> None:
    command, before = ["run", str(project.write(tmp_path)), *COMMAND], resource.getrlimit(resource.RLIMIT_FSIZE)
    for step in STEPS:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            line = stopped(capsys, [*command, step])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert line is not None
        assert line.startswith(f"stopped in {step}") or size < 1000  # what is not even noted is of no step
        assert str(tmp_path / "runs" / "demo") in line
        assert "File too large. Raise the limit on the size of files" in line or "could not be written whole" in line
        assert stopped(capsys, [*command, step]) is None
    assert made(tmp_path) == undisturbed


def test_a_full_disk_and_one_that_may_only_be_read(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    undisturbed: dict[str, str],
    disk: Callable[[str], None],
) -> None:
    command = ["run", str(project.write(tmp_path)), *COMMAND]
    for step in STEPS:
        for room in (8, 40):
            disk(f"size={shutil.disk_usage(tmp_path / 'runs').used // 1024 + room}k")
            line = stopped(capsys, [*command, step])
            assert line is not None
            assert line.startswith(f"stopped in {step}")
            assert "No space left on device (" in line or "could not be written whole (" in line
            assert "Make room there" in line
        disk("size=8m")
        assert stopped(capsys, [*command, step]) is None
    assert made(tmp_path) == undisturbed
    disk("size=8m,ro")
    line = stopped(capsys, [*command, "export", "--from", "export"])
    assert line is not None
    assert f"{tmp_path / 'runs' / 'demo'}" in line
    assert "Read-only file system. Make the folder writable" in line


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(project.write(tmp_path)), *COMMAND, "export"]
    (tmp_path / "runs").mkdir(mode=0o555)
    line = stopped(capsys, command)
    assert line is not None
    assert line.startswith(f"{tmp_path / 'runs' / 'demo'}: Permission denied. Make the folder writable")


LIMITED = """\
import resource, sys
import torch, transformers, datasets, compress.stages.teacher, compress.training.trainer
from compress.cli.main import main
if "{room}":
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {room} * 10**6,) * 2)
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("room", [30, 150])
def test_memory_that_runs_out(tmp_path: Path, room: int) -> None:
    path = project.write(tmp_path)
    card = tmp_path / "teachers" / "own.yaml"
    large = "{layers: 1, hidden: 1024, heads: 4, intermediate: 4096}"
    card.write_text(card.read_text().replace("{layers: 2, hidden: 32, heads: 4, intermediate: 64}", large))
    rest = ["run", str(path), "--until", "teacher", "--set", "teacher.train={epochs: 1, batch_size: 16}"]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(room=room), *rest], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]  # before it, tokenizers may tell of the thread that it could not have
    assert line.startswith("stopped in teacher: memory ran out (")
    assert "lower `batch_size` or `max_length`; then the same command goes on in teacher." in line
    assert not (tmp_path / "runs" / "demo" / "teacher").exists()
    again = subprocess.run([sys.executable, "-m", "compress", *rest], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "runs" / "demo" / "teacher" / "history.json").read_text())["epochs"]
