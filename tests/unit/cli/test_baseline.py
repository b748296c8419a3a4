"""`compress baseline accept`: what is said, and where it is written."""

from pathlib import Path

import pytest
import sample

from compress.cli.main import code
from compress.config import settings
from compress.report import record


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    exit_code = code([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return exit_code, captured.out, captured.err


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose run has a report."""
    monkeypatch.chdir(tmp_path)
    shown = (record.Row(row=3, text="a sentence"),)
    made = sample.record().model_copy(update={"rows": shown})
    record.save(made, tmp_path / "shop" / "runs" / "voice-commands" / "report" / "report.json")
    (tmp_path / "shop" / "pipeline.yaml").write_text("name: voice-commands\n")
    return tmp_path / "shop"


@pytest.mark.parametrize("source", ["shop/runs/voice-commands", "shop/pipeline.yaml"])
def test_the_first_one_says_how_to_use_it(project: Path, capsys: pytest.CaptureFixture[str], source: str) -> None:
    exit_code, out, _ = run(capsys, "baseline", "accept", source)
    assert exit_code == 0
    assert out.splitlines() == [
        "Wrote shop/reports/voice-commands.json, shop/reports/voice-commands.md, shop/reports/voice-commands.svg.",
        "Left out: the texts of 1 row that the report shows.",
        "By its own limits: fail. Of 24 checks, 1 fails. Slower or worse than plain: small onnxruntime-fp16 (slower, 0.90× as "
        "fast); tiny onnxruntime-fp16 (slower, 0.90× as fast).",
        "No gate compares with it yet. In pipeline.yaml:",
        "  gate: {baseline: reports/voice-commands.json}",
    ]
    assert (project / "reports" / "voice-commands.json").is_file()


def test_the_second_one_says_what_it_replaces(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "baseline", "accept", project / "runs" / "voice-commands", "--to", "shelf", "--name", "mine")
    gate = settings.Gate(baseline="reports/other.json")
    record.save(sample.record(seed=8, gate=gate).model_copy(update={"rows": ()}), Path("report.json"))
    exit_code, out, _ = run(capsys, "baseline", "accept", "report.json", "--to", "shelf", "--name", "mine")
    assert exit_code == 0
    assert out.startswith(
        "Wrote shelf/mine.json, shelf/mine.md, shelf/mine.svg.\nReplaced the baseline of 2026-11-20T09:30:00Z."
    )
    assert "  tiny onnxruntime-int8: accuracy 89.83 % → 89.83 %, size 4.56 MB → 4.56 MB" in out
    assert out.endswith("The gate of this report compares with reports/other.json, not with shelf/mine.json.\n")


def test_what_is_no_report_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "x.json").write_text('{"record_version": 99}')
    exit_code, _, err = run(capsys, "baseline", "accept", project / "x.json")
    assert exit_code == 2
    assert "record_version 99" in err
    assert run(capsys, "baseline", "accept", project / "nowhere")[0] == 2
    assert not (project / "reports").exists()


def test_the_group_alone_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, out, err = run(capsys, "baseline")
    assert exit_code == 2
    assert "accept" in out + err
