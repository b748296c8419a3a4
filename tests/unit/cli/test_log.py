"""A run as lines of JSON."""

import json
import sys

import pytest

from compress.cli.log import Log
from compress.cli.main import code
from compress.errors import MachineLimit
from compress.run.steps import Step

STEP = Step(name="distill/tiny", stage="distill", settings={}, keys={})


def test_a_step_is_told_from_its_beginning_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = 1000.0
    log = Log(clock=lambda: now)
    with log.working(STEP, ["not made yet"]):
        sys.stdout.write("what a library prints\n")
        log.progress(0, 0, "states take 3 GB")
        for second in range(25):
            now = 1000.0 + second
            log.progress(500 + second, 600, "epoch 1")
    log.note("done")
    captured = capsys.readouterr()
    assert captured.err == "what a library prints\n"
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert all(event.pop("time").endswith("+00:00") for event in events)
    assert events == [
        {"event": "begin", "step": "distill/tiny", "reasons": ["not made yet"]},
        {"event": "note", "step": "distill/tiny", "note": "states take 3 GB"},
        {
            "event": "progress",
            "step": "distill/tiny",
            "done": 510,
            "total": 600,
            "rate": 1.0,
            "left_s": 90.0,
            "note": "epoch 1",
        },
        {
            "event": "progress",
            "step": "distill/tiny",
            "done": 520,
            "total": 600,
            "rate": 1.0,
            "left_s": 80.0,
            "note": "epoch 1",
        },
        {"event": "end", "step": "distill/tiny", "seconds": 24.0},
        {"event": "note", "note": "done"},
    ]


@pytest.mark.parametrize(
    ("error", "exit_code", "said"),
    [
        (MachineLimit("memory ran out (x)", "Close other programs"), 4, "memory ran out (x). Close other programs"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("surprise"), 4, "surprise"),
    ],
)
def test_an_error_is_the_last_event(
    error: BaseException, exit_code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress.run import checks

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(checks, "load", broken)
    assert code(["run", "--log-json"]) == exit_code
    captured = capsys.readouterr()
    (event,) = map(json.loads, captured.out.splitlines())
    assert (event["event"], event["exit_code"]) == ("error", exit_code)
    assert said in event["error"]
    assert said in captured.err  # for people, as ever


def test_mistakes_of_a_file_are_one_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert code(["plan", "nothing.yaml", "--log-json"]) == 2
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (event["event"], event["exit_code"]) == ("error", 2)
    assert event["error"].startswith("nothing.yaml")
