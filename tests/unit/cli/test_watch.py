"""What is told of a run."""

import io

import pytest
from rich.console import Console

from compress.cli.watch import Terminal
from compress.run.steps import Step

STEP = Step(name="distill/tiny", stage="distill", settings={}, keys={})


def test_without_a_terminal_a_long_step_writes_a_line_every_half_a_minute() -> None:
    out, now = io.StringIO(), 1000.0
    told = Terminal(Console(file=out, width=200), clock=lambda: now)
    with told.working(STEP, ["not made yet"]):
        for second in range(80):
            now = 1000.0 + second
            told.progress(100 + second, 200, f"epoch {second}")
    assert [line.split(maxsplit=2)[1:] for line in out.getvalue().splitlines()] == [
        ["distill/tiny", "not made yet"],
        ["130/200,", "epoch 30, 1/s, 1 min 10 s left"],
        ["160/200,", "epoch 60, 1/s, 40 s left"],
        ["distill/tiny", "1 min 19 s"],
    ]


def test_forced_colours_make_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    now = 0.0
    told = Terminal(clock=lambda: now)
    with told.working(STEP, []):
        now = 31.0
        told.progress(1, 2, "half")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "1/2" in lines[1]
    assert max(map(len, lines)) < 100


def test_a_second_work_within_a_step_is_estimated_for_itself() -> None:
    out, now = io.StringIO(), 0.0
    told = Terminal(Console(file=out, width=200), clock=lambda: now)
    with told.working(STEP, []):
        for second, done, total in ((0, 10, 1000), (29, 1000, 1000), (31, 1, 50), (61, 11, 50)):
            now = second
            told.progress(done, total, "x")
    assert [line.split(", ")[1:] for line in out.getvalue().splitlines()[1:-1]] == [
        ["x"],
        ["x", "0.333/s", "1 min 57 s left"],
    ]


def test_a_bar_that_goes_on_counts_only_what_is_done_now() -> None:
    out, now = io.StringIO(), 0.0
    console = Console(file=out, width=200, force_terminal=True, get_time=lambda: now)
    told = Terminal(console, clock=lambda: now)
    with told.working(STEP, []):
        for second in range(6):
            now = float(second)
            told.progress(500 + second, 600, "x")
        assert told._bar is not None
        task = told._bar.tasks[0]
        assert (task.completed, task.total, task.speed) == (505, 600, 1.0)
        assert task.time_remaining == 95


def test_short_steps_write_no_line_between() -> None:
    out, now = io.StringIO(), 0.0
    told = Terminal(Console(file=out, width=200), clock=lambda: now)
    for begun in (0.0, 25.0, 50.0):
        with told.working(STEP, []):
            now = begun + 20
            told.progress(1, 2, "half")
    assert len(out.getvalue().splitlines()) == 6


def test_what_is_said_once_is_a_line_of_its_own() -> None:
    out = io.StringIO()
    told = Terminal(Console(file=out, width=200), clock=lambda: 0.0)
    with told.working(STEP, []):
        told.progress(0, 0, "states take 3 GB")
        told.progress(1, 2, "half")
    assert [line.split(maxsplit=1) for line in out.getvalue().splitlines()][1:-1] == [
        ["distill/tiny", "states take 3 GB"]
    ]
