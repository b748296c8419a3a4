"""A run that is killed at the worst moments, stopped by signals, or started twice, beside an undisturbed one."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import killed_anywhere
import processes
import project
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

Start = Callable[..., BaseProcess]
_SETS = (
    "teacher.train.epochs=3",
    "teacher.train.checkpoint_steps=2",
    "students={small: {use: one-layer}}",
    "export=[{target: onnxruntime, precision: [fp32]}]",
    "gate={}",
)
_FATAL = (
    ("checkpoint-4/trainer_state.json", 0),  # half of a checkpoint is there
    ("checkpoint-6/complete.seal", 0),  # all of it but the seal
    ("checkpoint-4/complete.seal", 0),  # the newer one is sealed, the older one about to lose its seal
    ("demo/teacher", 0),  # a draft is whole and not yet in its place
    (".work/distill/small/fingerprint.seal", 0),
    (".draft-small-*/manifest.json", 0),
    ("export/small/onnxruntime", 1),
    (".work/measure/answers/*.safetensors", 1),  # one model's answers are kept, the next one's are there but not sealed
    (".draft-measure-*/measurements.json", 0),
    ("demo/lock.json", 0),
    ("demo/.holder", 1),  # all is done but the lock let go
)


@pytest.fixture(scope="module")
def start() -> Start:
    return processes.starter()


def arguments(path: Path, *more: str) -> list[str]:
    return ["run", str(path), *(part for value in _SETS for part in ("--set", value)), *more]


def ended(process: BaseProcess) -> int | None:
    process.start()
    process.join(300)
    return process.exitcode


@pytest.fixture(scope="module")
def undisturbed(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    code = ended(start(processes.run, arguments(project.write(folder)), folder / "said"))
    assert code == 0, (folder / "said").read_text()
    return folder / "runs" / "demo"


@pytest.mark.timeout(900)  # half a minute on a machine that does nothing else
def test_killed_at_the_worst_moments_it_ends_the_same(start: Start, undisturbed: Path, tmp_path: Path) -> None:
    path, run, said = project.write(tmp_path), tmp_path / "runs" / "demo", tmp_path / "said"
    for fatal, skipped in _FATAL:
        code = ended(start(processes.run, arguments(path), said, fatal, skipped))
        assert code == -signal.SIGKILL, f"not killed at {fatal}: {code}\n{said.read_text()}"
        assert killed_anywhere.damage(run) == []
    assert ended(start(processes.run, arguments(path), said)) == 0
    differences, compared = killed_anywhere.compare(undisturbed, run)
    assert (differences, compared[:11]) == ([], "6 artifacts")
    assert {one.name for one in run.iterdir()} == {one.name for one in undisturbed.iterdir()}
    assert [one for one in (run / ".work").rglob("*") if one.is_file()] == []


def test_a_comparison_sees_a_bit_and_a_number(undisturbed: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(undisturbed, tmp_path / "other"))
    for name, old, new in (
        ("teacher/model.safetensors", b"\0", b"\1"),
        ("report/report.json", b'"accuracy": ', b'"accuracy": 1'),
    ):
        content = (other / name).read_bytes()
        (other / name).write_bytes(content[: len(content) // 2] + content[len(content) // 2 :].replace(old, new, 1))
    assert len(killed_anywhere.damage(other)) == 2
    assert killed_anywhere.compare(undisturbed, other)[0] == [
        "report/report.json: differs",
        "teacher/model.safetensors: differs",
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_training_with_its_state_saved(
    number: signal.Signals, code: int, start: Start, undisturbed: Path, tmp_path: Path
) -> None:
    path, said, work = project.write(tmp_path), tmp_path / "said", tmp_path / "runs" / "demo" / ".work" / "teacher"
    long = ["--set", "teacher.train.epochs=2000", "--set", "teacher.train.checkpoint_steps=200"]
    process = start(processes.run, arguments(path, *long), said)
    process.start()
    try:
        processes.wait_for(lambda: (work / "checkpoint-200" / "complete.seal").is_file())
        time.sleep(0.2)  # until it has made another step
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode == code
    finally:
        process.kill()
        process.join()
    assert said.read_text().endswith("stopped in teacher. The same command goes on from its last checkpoint.\n")
    (checkpoint,) = work.glob("checkpoint-*")
    assert killed_anywhere.damage(work.parents[1]) == []
    assert 200 < int(checkpoint.name.partition("-")[2]) < 400
    assert not list(work.parents[1].glob(".draft-*"))


def test_of_two_runs_started_at_once_one_says_who_has_the_folder(
    start: Start, undisturbed: Path, tmp_path: Path
) -> None:
    path = project.write(tmp_path)
    asked = arguments(path, "--until", "distill")
    pair = [start(processes.run, asked, tmp_path / f"said-{number}") for number in (0, 1)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(300)
    assert sorted(process.exitcode or 0 for process in pair) == [0, 3]
    winner, loser = sorted(pair, key=lambda process: process.exitcode or 0)
    text = (tmp_path / f"said-{pair.index(loser)}").read_text()
    assert f"{tmp_path / 'runs' / 'demo'} is in use by process {winner.pid} on " in text
    assert killed_anywhere.damage(tmp_path / "runs" / "demo") == []
    made = [tmp_path / "runs" / "demo" / name / "model.safetensors" for name in ("teacher", "distill/small")]
    assert [file.read_bytes() for file in made] == [
        (undisturbed / file.relative_to(tmp_path / "runs" / "demo")).read_bytes() for file in made
    ]
