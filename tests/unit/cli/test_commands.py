"""The command line: what is printed, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import project
import pytest
import sample

from compress.cli.main import code
from compress.report import record


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    exit_code = code([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return exit_code, captured.out, captured.err


def test_the_version_is_that_of_the_installed_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"compress {version('compress')}\n", "")


def test_check_of_a_good_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", project.write(tmp_path)) == (0, "demo: no mistakes found.\n", "")


def test_check_reports_every_mistake_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.write(tmp_path)
    path.write_text(path.read_text().replace("max_length", "max_lenght").replace("{max_mb: 5", "{max_mb: 0"))
    monkeypatch.chdir(tmp_path)
    exit_code, out, err = run(capsys, "check", "pipeline.yaml")
    assert (exit_code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("pipeline.yaml:5: task.max_lenght: no such key. Did you mean `max_length`?")
    assert (
        lines[1]
        == "pipeline.yaml:18: gate.size.max_mb: `0` is not above 0.0; give a number above 0.0. Largest size in MB (10^6 bytes)."
    )
    assert lines[2] == "2 errors, nothing was run."


def test_a_missing_file_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, _, err = run(capsys, "run", tmp_path / "no.yaml")
    assert exit_code == 2
    assert "cannot be read: No such file or directory." in err


def test_check_schema_prints_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, out, _ = run(capsys, "check", "--schema")
    assert exit_code == 0
    assert json.loads(out)["title"] == "compress pipeline"


def test_plan_and_dry_run_say_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project.write(tmp_path)
    exit_code, out, _ = run(capsys, "plan", path)
    assert exit_code == 0
    assert out.splitlines()[0].split() == ["teacher", "run", "not", "made", "yet"] or out.startswith("> teacher")
    assert out.splitlines()[-1] == "9 of 9 steps would run."
    exit_code, dry, _ = run(capsys, "run", path, "--dry-run", "--until", "prune")
    assert exit_code == 0
    assert dry.splitlines()[-1] == "3 of 3 steps would run."
    assert not (tmp_path / "runs").exists()


def test_unknown_options_are_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "run", "--no-such-option")[0] == 2


def test_an_internal_error_says_so_and_exits_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compress.bench import machine

    def broken() -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(machine, "describe", broken)
    exit_code, _, err = run(capsys, "doctor")
    assert exit_code == 4
    assert "RuntimeError: surprise" in err
    assert "This is a fault of compress" in err


def test_doctor_names_targets_and_versions(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, out, _ = run(capsys, "doctor")
    assert exit_code == 0
    assert "onnxruntime" in out
    assert "works" in out
    assert "transformers" in out


def test_doctor_says_which_engines_are_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomllib

    from compress.bench import machine

    installed = machine.versions
    monkeypatch.setattr(machine, "versions", lambda names: installed({*names} - {"ray"}) | {"openvino": "2026.1"})
    lines = [line.partition(" ") for line in run(capsys, "doctor")[1].splitlines()]
    shown = {name: fact.strip() for name, _, fact in reversed(lines)}  # the targets' table comes last
    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for extra in ("tensorrt", "rtx", "openvino", "executorch", "coreml", "litert", "ray"):
        for requirement in extras[extra]:
            assert requirement.split(">")[0] in shown
    assert shown["openvino"] == "2026.1"
    assert shown["ray"] == "not installed"


def test_doctor_says_what_of_a_target_does_not_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress.registry import TARGETS

    kind = type(TARGETS.load("onnxruntime"))
    monkeypatch.setattr(kind, "unrunnable", lambda _self, precision=None: None if precision == "fp32" else "too old.")
    assert "builds; does not run fp16 int8 int4: too old." in " ".join(run(capsys, "doctor")[1].split())
    monkeypatch.setattr(kind, "unrunnable", lambda _self, precision=None: "too old.")
    assert "builds; does not run: too old." in " ".join(run(capsys, "doctor")[1].split())


def test_doctor_names_the_extra_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from compress.registry import TARGETS

    kind = type(TARGETS.load("openvino"))
    monkeypatch.setattr(kind, "unavailable", lambda _self: "Run `pip install 'compress[openvino]'`.")
    assert "Run `pip install 'compress[openvino]'`." in " ".join(run(capsys, "doctor")[1].split())


@pytest.mark.parametrize(("keep", "expected"), [(0.1, 0), (1.0, 1)])
def test_gate_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: float, expected: int) -> None:
    gate = record.settings.Gate(accuracy=record.settings.AccuracyGate(keep=keep))
    record.save(sample.record(gate=gate), tmp_path / "report.json")
    exit_code, out, _ = run(capsys, "gate", tmp_path)
    assert exit_code == expected
    assert ("fail: " in out) == (expected == 1)


def test_gate_against_another_data_set_is_not_comparable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.save(sample.record(gate=record.settings.Gate()), tmp_path / "a.json")
    other = sample.record().data.model_copy(update={"test": record.Split(rows=600, sha256="other rows")})
    record.save(sample.record(gate=record.settings.Gate(), data=other), tmp_path / "b.json")
    assert run(capsys, "gate", tmp_path / "a.json", "--baseline", tmp_path / "a.json")[0] == 0
    assert run(capsys, "gate", tmp_path / "a.json", "--baseline", tmp_path / "b.json")[0] == 3


def test_report_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.save(sample.record(), tmp_path / "report.json")
    assert "teacher" in run(capsys, "report", tmp_path)[1]
    assert run(capsys, "report", tmp_path, "--format", "markdown")[1].startswith("#")
    assert json.loads(run(capsys, "report", "--format", "json-schema")[1])["title"] == "Record"
    assert run(capsys, "report") == (
        2,
        "",
        "which report? Give a run folder (runs/NAME) or a report.json.\n1 error, nothing was run.\n",
    )
    assert run(capsys, "report", tmp_path, "--format", "html", "--out", tmp_path / "page.html")[0] == 0
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert run(capsys, "report", tmp_path / "nowhere")[0] == 2
    exit_code, out, err = run(capsys, "report", tmp_path / "nowhere", "--format", "json-schema")
    assert (exit_code, out) == (2, "")
    assert "--format json-schema is of every report. Leave out the run." in err


def test_reports_side_by_side_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.save(sample.record(), tmp_path / "a.json")
    record.save(sample.record(seed=8), tmp_path / "b.json")
    both = (tmp_path / "a.json", tmp_path / "b.json")
    exit_code, out, _ = run(capsys, "report", *both)
    assert exit_code == 0
    assert out.startswith("voice-commands: 2 runs side by side")
    assert "## Accuracy" in run(capsys, "report", *both, "--format", "markdown")[1]
    assert run(capsys, "report", *both, "--out", tmp_path / "page.html")[0] == 0
    assert "<h2>Accuracy</h2>" in (tmp_path / "page.html").read_text()
    assert run(capsys, "report", tmp_path / "a.json", tmp_path / "nowhere")[0] == 2


@pytest.mark.parametrize("command", ["--help", "plan", "check", "gate"])
def test_light_commands_import_nothing_heavy(tmp_path: Path, command: str) -> None:
    path = project.write(tmp_path)
    record.save(sample.record(), tmp_path / "report.json")
    arguments = {"--help": ["--help"], "gate": ["gate", str(tmp_path)]}.get(command, [command, str(path)])
    script = (
        "import sys; from compress.cli.main import code; "
        f"code({arguments!r}); "
        "heavy = {'torch', 'transformers', 'datasets', 'sklearn', 'onnx', 'onnxruntime', 'altair', 'scipy', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_where_a_file_should_be_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.save(sample.record(), tmp_path / "report.json")
    exit_code, _, err = run(capsys, "report", tmp_path, "--format", "markdown", "--out", tmp_path)
    assert exit_code == 2
    assert "Traceback" not in err
    assert run(capsys, "report", tmp_path, "--out", tmp_path / "x.txt")[0] == 2
    assert run(capsys, "report", tmp_path, "--out", tmp_path / "x.md")[0] == 0
    assert (tmp_path / "x.md").read_text().startswith("#")


def test_the_gate_finds_the_baseline_that_the_report_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = record.settings.Gate(baseline="base.json")
    record.save(sample.record(gate=gate), tmp_path / "base.json")
    record.save(sample.record(gate=gate), tmp_path / "runs" / "demo" / "report" / "report.json")
    assert run(capsys, "gate", tmp_path / "runs" / "demo")[0] == 0
    (tmp_path / "base.json").unlink()
    assert run(capsys, "gate", tmp_path / "runs" / "demo")[0] == 3


@pytest.mark.parametrize("limit", ["latency={speedup: 100}", "latency={p50_ms: 1}", "accuracy={keep: 0.9}"])
def test_a_limit_without_an_export_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str) -> None:
    path = project.write(tmp_path)
    exit_code, _, err = run(
        capsys, "check", path, "--set", "export=[]", "--set", f"gate={{{limit.replace('=', ': ')}}}"
    )
    assert exit_code == 2
    assert "nothing is exported, so nothing can be judged" in err


@pytest.mark.parametrize(
    "error",
    [SystemExit("surprise"), SystemExit(1), SystemExit(), BrokenPipeError(32, "surprise"), EOFError("surprise")],
)
def test_what_a_command_does_not_foresee_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    from compress.bench import machine

    def broken() -> None:
        raise error

    monkeypatch.setattr(machine, "describe", broken)
    exit_code, _, err = run(capsys, "doctor")
    assert exit_code == 4
    assert type(error).__name__ in err
    assert ("surprise" in str(error)) == ("surprise" in err)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        ("report report.json", "stdout"),
        ("report report.json --format markdown", "stdout"),
        ("gate report.json", "stdout"),
        ("plan pipeline.yaml", "stdout"),
        ("check pipeline.yaml", "stdout"),
        ("check nothing.yaml", "stderr"),
        ("doctor", "stdout"),
        ("bench nothing.onnx", "stderr"),
        ("--help", "stdout"),
        ("plan --no-such-option", "stderr"),
    ],
)
def test_a_pipe_that_nobody_reads_ends_it_quietly_and_is_no_failed_gate(
    tmp_path: Path, arguments: str, closed: str, unbuffered: str
) -> None:
    project.write(tmp_path)
    record.save(sample.record(), tmp_path / "report.json")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "compress", *arguments.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, closed: writing},
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stdout or b"", done.stderr or b"") == (141, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows numbers no files")
@pytest.mark.parametrize("closed", ["1", "2"])
def test_an_output_that_is_closed_leads_nowhere(tmp_path: Path, closed: str) -> None:
    script = f'exec "$1" -m compress plan "$2" {closed}>&-'
    asked = ["sh", "-c", script, "sh", sys.executable, str(project.write(tmp_path))]
    done = subprocess.run(asked, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"steps would run" in done.stdout) == (closed == "2")


def test_a_signal_before_the_command_began_has_its_own_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress import interruption
    from compress.cli import main

    def ended(_arguments: list[str]) -> None:
        monkeypatch.setattr(interruption._state, "number", signal.SIGTERM)
        raise SystemExit(130)  # as typer makes of KeyboardInterrupt

    monkeypatch.setattr(main, "app", ended)
    assert code(["plan"]) == 143
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_goes_in_the_middle_of_a_run_ends_it_after_the_step(tmp_path: Path) -> None:
    project.write(tmp_path)
    command = [sys.executable, "-m", "compress", "run", "--until", "distill"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"> teacher")
        running.stdout.close()
        assert (running.wait(), running.stderr.read()) == (141, b"")
    assert (tmp_path / "runs" / "demo" / "teacher" / "manifest.json").is_file()
    assert not (tmp_path / "runs" / "demo" / "distill").exists()
