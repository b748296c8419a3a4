"""One run by several processes, as `accelerate launch` and torchrun start them."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import project
import pytest

from compress.cli.main import code

_PORT = "import socket; free = socket.socket(); free.bind(('127.0.0.1', 0)); print(free.getsockname()[1])"
_SHORT = [
    "--set",
    "teacher.train.epochs=2",
    "--set",
    "tensorboard=true",
    "--set",
    "students.small.distill.checkpoint_steps=2",
]


_STOPPED = """
import sys
from compress.cli.main import main
from compress.cli.watch import Terminal

def progress(self, done, total, note):
    if done == 3:
        raise KeyboardInterrupt

Terminal.progress = progress
main()
"""


_STEPPED = """
import os, sys
from pathlib import Path
from compress.cli.main import main
from compress.cli.watch import Terminal

def progress(self, done, total, note):
    with Path(sys.argv[2]).with_name("steps").open("a") as stream:
        print(done, file=stream)

Terminal.progress = progress
main()
"""
"""Notes every step that the first process tells of."""

_TOLD = """
import os, sys
from pathlib import Path
import torch
from compress.cli.main import main
from compress.stages import teacher

def write(folder, model, tokenizer, history):
    sums = [float(weight.detach().double().abs().sum()) for weight in model.parameters()]
    Path(sys.argv[2]).with_name("weights-" + os.environ["RANK"]).write_text(repr(sums))
    if os.environ["RANK"] == "0":
        real(folder, model, tokenizer, history)

real, teacher.write = teacher.write, write
main()
"""
"""Notes the weights that each process ends with."""

_EDITED = """
import os, sys
from pathlib import Path
from compress.cli.main import main
from compress.run import execute

def make(plan, step, watcher, others):
    path = Path(sys.argv[2])
    path.write_text(path.read_text().replace("demo", "changed meanwhile").replace("small:", "other:"))
    real(plan, step, watcher, others)

real, execute._make = execute._make, make
main()
"""
"""Changes the pipeline file while it runs."""

_TORN = """
import atexit, os
from compress.cli.main import main

atexit.register(os.abort)
main()
"""
"""Aborts if Python is taken down at its end."""


def launched(path: Path, *arguments: str, script: tuple[str, ...] = ("-m", "compress")) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of two processes that run a pipeline together."""
    port = subprocess.run([sys.executable, "-c", _PORT], capture_output=True, text=True, check=True).stdout.strip()
    running = []
    for rank in ("0", "1"):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        running.append(
            subprocess.Popen(
                [sys.executable, *script, "run", str(path), *arguments],
                env={
                    **os.environ,
                    **place,
                    "LOCAL_WORLD_SIZE": "2",
                    "OMP_NUM_THREADS": "1",
                    "ACCELERATE_USE_CPU": "true",
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        with ThreadPoolExecutor() as readers:  # a full pipe would stop one while the other is read
            told = list(readers.map(lambda process: process.communicate(timeout=240), running))
        return [(process.returncode, *texts) for process, texts in zip(running, told, strict=True)]
    finally:
        for process in running:
            process.kill()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str, str]]]:
    folder = tmp_path_factory.mktemp("team")
    path = project.write(folder)
    return folder, launched(path, *_SHORT)


def test_the_first_process_makes_everything_and_the_other_says_nothing(
    run: tuple[Path, list[tuple[int, str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ((first, out, err), other) = run
    assert (first, err) == (0, "")
    assert other == (0, "", "")
    assert "report.html" in out
    assert not list((folder / "runs").rglob(".draft-*"))
    assert code(["run", str(folder / "pipeline.yaml"), *_SHORT]) == 0
    assert capsys.readouterr().out.count("up to date") == 9


def test_with_nothing_to_train_the_other_process_goes_and_both_leave_at_once(
    run: tuple[Path, list[tuple[int, str, str]]],
) -> None:
    arguments = [*_SHORT, "--until", "teacher"]
    (first, out, err), other = launched(run[0] / "pipeline.yaml", *arguments, script=("-c", _TORN))
    assert (first, out.count("up to date"), err) == (0, 1, "")
    assert other == (0, "", "")


def test_a_process_that_stops_ends_the_other_with_one_sentence_and_the_run_goes_on_later(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    arguments = ["--set", "teacher.train.epochs=1", "--set", "teacher.train.checkpoint_steps=2", "--until", "teacher"]
    (first, _, err), (other, _, told) = launched(path, *arguments, script=("-c", _STOPPED))
    assert (first, err) == (130, "stopped in teacher. The same command goes on from its last checkpoint.\n")
    assert (other, told) == (4, "process 1 of 2: another one has gone. What that one says is the cause.\n")
    assert (tmp_path / "runs" / "demo" / ".work" / "teacher" / "checkpoint-2" / "complete.seal").is_file()
    again = launched(path, *arguments, script=("-c", _STEPPED))
    assert [(found[0], found[2]) for found in again] == [(0, ""), (0, "")]
    assert int((tmp_path / "steps").read_text().split()[0]) == 3
    assert (tmp_path / "runs" / "demo" / "teacher" / "manifest.json").is_file()


def test_both_processes_end_with_the_same_weights_though_each_saw_other_rows(tmp_path: Path) -> None:
    found = launched(project.write(tmp_path), "--until", "teacher", script=("-c", _TOLD))
    assert [(code, err) for code, _, err in found] == [(0, ""), (0, "")]
    first, other = ((tmp_path / f"weights-{rank}").read_text() for rank in (0, 1))
    assert first == other


def test_a_file_that_is_changed_while_it_runs_changes_nothing(tmp_path: Path) -> None:
    path = project.write(tmp_path)
    found = launched(path, *_SHORT, "--until", "distill", script=("-c", _EDITED))
    assert [(code, err) for code, _, err in found] == [(0, ""), (0, "")]
    assert (tmp_path / "runs" / "demo" / "distill" / "small" / "manifest.json").is_file()
