"""`compress gate` for CI: what it writes and prints beside its exit code."""

import json
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
import sample

from compress.cli.main import code
from compress.report import record


@pytest.fixture(autouse=True)
def _no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    exit_code = code([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return exit_code, captured.out, captured.err


def test_several_outputs_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.save(sample.record(), tmp_path / "report.json")
    files = {name: tmp_path / "out" / name for name in ("junit.xml", "comment.md", "verdict.json")}
    options = ("--junit", files["junit.xml"], "--markdown", files["comment.md"], "--json", files["verdict.json"])
    exit_code, out, _ = run(capsys, "gate", tmp_path, *options)
    assert exit_code == 1
    assert out == run(capsys, "gate", tmp_path)[1]
    assert XML.parse(files["junit.xml"]).getroot().tag == "testsuites"
    assert files["comment.md"].read_text().startswith("<!-- compress gate: voice-commands -->\n# voice-commands\n")
    assert json.loads(files["verdict.json"].read_text())["exit_code"] == 1


def test_what_was_not_compared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = sample.record()
    record.save(made, tmp_path / "report.json")
    machine = made.machine.model_copy(update={"machine_class": "a phone"})
    record.save(made.model_copy(update={"machine": machine}), tmp_path / "baseline.json")
    said = "Latency not compared with the baseline: it was measured on another machine class: a phone, this is "
    arguments = ("gate", tmp_path, "--baseline", tmp_path / "baseline.json")
    assert f"\nnote: {said}" in run(capsys, *arguments)[1]
    notes = json.loads(run(capsys, *arguments, "--log-json")[1])["notes"]
    assert any(note.startswith(said) for note in notes)


def test_github_gets_annotations_at_the_keys_of_the_gate_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "models"
    record.save(sample.record(), project / "runs" / "voice-commands" / "report" / "report.json")
    (project / "pipeline.yaml").write_text("name: voice-commands\n\ngate:\n  accuracy: {keep: 0.97}\n")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("from a step before\n")
    exit_code, out, _ = run(capsys, "gate", project / "pipeline.yaml", "--github")
    assert exit_code == 1
    errors = [line for line in out.splitlines() if line.startswith("::error")]
    assert len(errors) == 1
    assert errors[0].startswith("::error file=models/pipeline.yaml,line=4,title=Gate failed%3A accuracy.keep of tiny")
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("from a step before\n<!-- compress gate")
    assert "**✗ Fail.**" in summary


def test_github_reads_no_command_in_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = record.settings.Gate(students=("tiny\n::add-mask::secret",))
    record.save(sample.record(gate=gate), tmp_path / "report.json")
    exit_code, out, _ = run(capsys, "gate", tmp_path, "--github")
    lines = out.splitlines()
    assert exit_code == 3
    fence = lines[0].removeprefix("::stop-commands::")
    assert len(fence) == 32
    assert lines.index(f"::{fence}::") == 3
    assert not any(line.startswith("::add-mask") for line in lines)


def test_a_pipeline_file_stands_for_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: demo\n")
    exit_code, _, err = run(capsys, "gate", tmp_path / "pipeline.yaml")
    assert exit_code == 2
    assert f"Run it first: compress run {tmp_path / 'pipeline.yaml'}" in err
    (tmp_path / "pipeline.yaml").write_text("name: ../../elsewhere\n")
    assert "leads out of" in run(capsys, "gate", tmp_path / "pipeline.yaml")[2]


def test_the_schema_needs_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, out, _ = run(capsys, "gate", "--schema")
    assert exit_code == 0
    assert json.loads(out)["title"] == "Outcome"
    exit_code, _, err = run(capsys, "gate")
    assert exit_code == 2
    assert err.startswith("which report?")
