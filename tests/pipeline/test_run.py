"""Whole runs on tiny models: from rows to a verdict."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import project
import pytest
from huggingface_hub import ModelCard

from compress.cli.main import code
from compress.report import packing, record, structure


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("finished")
    path = project.write(folder)
    path.write_text(project.PIPELINE.replace("rounds: 3", "rounds: 3, columns: [room], shown_rows: 2"))
    assert code(["run", str(path)]) == 0
    return folder


def weights(folder: Path) -> dict[str, str]:
    """Digests of all weights and exported files of a run."""
    files = [*folder.rglob("*.safetensors"), *folder.rglob("*.onnx")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_run_ends_with_a_report_of_every_variant(finished: Path) -> None:
    found = record.load(finished / "runs" / "demo" / "report" / "report.json")
    assert [(variant.model, variant.id) for variant in found.variants] == [
        ("teacher", "pytorch-fp32"),
        ("teacher", "onnxruntime-fp32"),
        ("small", "onnxruntime-fp32"),
        ("small", "onnxruntime-fp16"),
        ("small", "onnxruntime-int8"),
        ("narrow", "onnxruntime-fp32"),
        ("narrow", "onnxruntime-fp16"),
        ("narrow", "onnxruntime-int8"),
    ]
    assert found.data.test.rows == 40
    for variant in found.variants:
        correct = [
            guess == gold
            for guess, gold in zip(packing.unpack(variant.predictions), packing.unpack(found.gold), strict=True)
        ]
        assert variant.metrics["accuracy"] == pytest.approx(sum(correct) / 40)
        assert variant.latency[0].p50_ms <= variant.latency[0].p99_ms
        assert variant.peak_memory_bytes
    assert found.variants[1].parity is not None
    assert found.variants[1].parity.max_abs < 1e-4
    assert found.structures["small"].layers == (structure.Layer(heads=2, neurons=32),)
    assert found.structures["small"].shares["neurons"] == structure.Removed(asked=0.5, removed=0.5)
    assert [stage.name for stage in found.stages][:3] == ["teacher", "distill/small", "prune/small"]


def test_the_report_tells_how_sure_its_numbers_are_and_of_single_rows(finished: Path) -> None:
    found = record.load(finished / "runs" / "demo" / "report" / "report.json")
    rows = [line.split("\t") for line in (finished / "test.tsv").read_text().splitlines()[1:]]
    room = found.columns["room"]
    assert [room.values[place] for place in packing.unpack(room.rows)] == [row[2] for row in rows]
    assert found.lengths is not None
    assert all(3 < tokens <= 16 for tokens in packing.unpack(found.lengths))
    for variant in found.variants:
        assert variant.divergence is not None
        assert variant.calibration_error is not None
        for cell in (*variant.latency, variant.same_rows):
            assert cell is not None
            assert cell.p50_interval is not None
            assert cell.p50_interval.low <= cell.p50_ms <= cell.p50_interval.high
            assert cell.p95_interval is not None
            assert cell.speedup_interval is not None
    reference, exported, *students = found.variants
    assert reference.divergence is not None
    assert (reference.divergence.value, reference.divergence.high) == (0, 0)
    assert exported.divergence is not None
    assert exported.divergence.high < 1e-6
    assert all(student.divergence is not None and student.divergence.low > 1e-6 for student in students)
    teacher, told = packing.unpack(reference.predictions), {shown.row: shown.text for shown in found.rows}
    assert all(rows[row][1] == text for row, text in told.items())
    for student in found.students:
        differ = [
            any(packing.unpack(variant.predictions)[row] != answer for variant in found.of(student))
            for row, answer in enumerate(teacher)
        ]
        assert min(2, sum(differ)) <= sum(differ[row] for row in told)


def test_the_teacher_learns_and_the_fp32_export_agrees_with_it(finished: Path) -> None:
    found = record.load(finished / "runs" / "demo" / "report" / "report.json")
    assert found.variants[0].metrics["accuracy"] >= 0.9
    assert found.variants[1].agreement == 1


def test_a_second_run_makes_nothing(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.json") if path.name != "lock.json"}
    assert code(["run", str(finished / "pipeline.yaml")]) == 0
    out = capsys.readouterr().out
    assert out.count("up to date") == 9
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_log_is_a_line_of_json_an_event(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", str(finished / "pipeline.yaml"), "--log-json"]
    assert code([*command, "--from", "report"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == [*["fresh"] * 8, "begin", "end", "verdict"]
    assert events[8] | {"time": ""} == {
        "time": "",
        "event": "begin",
        "step": "report",
        "reasons": ["asked for by --from"],
    }
    assert events[9]["seconds"] > 0
    assert (events[10]["verdict"], events[10]["exit_code"]) == ("pass", 0)
    assert Path(events[10]["report"]).is_file()
    assert code(["gate", str(finished / "runs" / "demo"), "--log-json"]) == 0
    (judged,) = capsys.readouterr().out.splitlines()
    assert json.loads(judged) | {"time": ""} == events[10] | {"time": ""}
    assert code([*command, "--dry-run", "--from", "measure"]) == 0
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["state"] for event in planned] == [*["fresh"] * 7, "run", "run"]


def test_no_escape_code_gets_into_a_pipe(finished: Path) -> None:
    commands = (
        ["run", str(finished / "pipeline.yaml"), "--from", "report"],
        ["run", str(finished / "pipeline.yaml"), "--log-json"],
        ["plan", str(finished / "pipeline.yaml")],
        ["report", str(finished / "runs" / "demo")],
        ["gate", str(finished / "runs" / "demo")],
        ["doctor", str(finished / "runs" / "demo")],
    )
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "compress", *command],
            capture_output=True,
            check=True,
            env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        )
        assert done.stdout
        assert b"\x1b" not in done.stdout + done.stderr
        assert b"\r" not in done.stdout + done.stderr


def test_an_export_folder_answers_without_this_program(finished: Path) -> None:
    folder = finished / "runs" / "demo" / "export" / "small" / "onnxruntime"
    assert {path.name for path in folder.iterdir()} >= {
        "manifest.json",
        "tokenizer.json",
        "config.json",
        "preprocess.json",
        "predict.py",
        "onnx",
    }
    assert {path.name for path in (folder / "onnx").iterdir()} == {
        "model.onnx",
        "model_fp16.onnx",
        "model_quantized.onnx",
    }
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), "kitchen light please"],
        capture_output=True,
        text=True,
        check=True,
    )
    label, probability = done.stdout.split()
    assert label in ("light", "music")
    assert 0.5 <= float(probability) <= 1
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256((folder / "onnx" / "model.onnx").read_bytes()).hexdigest()
    assert manifest["files"]["onnx/model.onnx"]["sha256"] == digest


def test_a_bundle_answers_the_test_rows_as_the_report_says(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, out = finished / "runs" / "demo" / "export" / "small" / "onnxruntime", tmp_path / "bundle"
    assert code(["bundle", str(export), "--out", str(out), "--license", "MIT"]) == 0
    assert capsys.readouterr().out.startswith(f"Wrote {out}: 9 files, ")
    card = ModelCard.load(out / "README.md").data
    found = record.load(finished / "runs" / "demo" / "report" / "report.json")
    variant = found.variant("small", "onnxruntime-int8")
    assert variant is not None
    assert (card.license, card.model_name) == ("mit", "demo-small")
    assert variant.metrics["accuracy"] in [result.metric_value for result in card.eval_results]
    limits = json.loads((out / "tokenizer_config.json").read_text())
    assert (limits["model_max_length"], limits["truncation_side"]) == (16, "right")
    texts = [line.split("\t")[1] for line in (finished / "test.tsv").read_text().splitlines()[1:]]
    command = [sys.executable, "-I", str(out / "predict.py")]
    done = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, check=True)
    labels = [found.task.labels[label] for label in packing.unpack(variant.predictions)]
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == labels

    assert code(["bundle", str(export), "--out", str(out), "--triton", "--precision", "int8"]) == 0
    assert (out / "demo-small-int8" / "1" / "model_quantized.onnx").is_file()
    again = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, check=True)
    assert again.stdout == done.stdout


def test_a_bundle_of_nothing_exits_2(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished / "runs" / "demo"
    assert code(["bundle", str(run)]) == 2
    assert str(run / "export" / "narrow" / "onnxruntime") in capsys.readouterr().err


def test_the_same_seed_gives_the_same_weights(finished: Path, tmp_path: Path) -> None:
    assert code(["run", str(project.write(tmp_path)), "--until", "export"]) == 0
    assert weights(tmp_path / "runs") == weights(finished / "runs")


def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compress.cli.watch import Terminal

    path = project.write(tmp_path)
    calls = 0

    def progress(self: Terminal, done: int, total: int, note: str) -> None:
        nonlocal calls
        calls += 1
        if calls in (6, 14, 20):
            raise KeyboardInterrupt

    monkeypatch.setattr(Terminal, "progress", progress)
    often = ["--set", "teacher.train.checkpoint_steps=2", "--set", "students.small.distill.checkpoint_steps=1"]
    codes = [code(["run", str(path), "--until", "distill", *often])]
    assert list((tmp_path / "runs" / "demo" / ".work" / "teacher").glob("checkpoint-*"))
    codes += [code(["run", str(path), "--until", "distill", *often]) for _ in range(4)]
    assert codes.count(130) == 3
    assert codes[-1] == 0
    assert "goes on from its last checkpoint" in capsys.readouterr().err
    made = weights(tmp_path / "runs")
    assert len(made) == 3
    assert made == {name: digest for name, digest in weights(finished / "runs").items() if name in made}
    assert not (tmp_path / "runs" / "demo" / ".work" / "teacher").exists()


def test_a_student_that_starts_from_measured_layers_goes_on_learning_from_them(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    how = "losses: {minilm_relation: 1, pkd: 1, rkd: 1, soft_label: {from: 0, to: 1}}, temperature: {from: 4, to: 1}"
    small = (
        "{use: one-layer, start_layers: measured, prune: {heads: 0.5, rows: 16}, "
        f"distill: {{layer_mapping: start, epochs: 2, {how}}}}}"
    )
    assert (
        code(["run", str(tmp_path / "pipeline.yaml"), "--set", f"students={{small: {small}}}", "--until", "prune"]) == 0
    )
    made = tmp_path / "runs" / "demo"
    found = json.loads((made / "distill" / "small" / "start.json").read_text())
    assert [tried["layers"] for tried in found["measured"]] in ([[0], [1]], [[1], [0]])
    assert found["layers"] == found["measured"][0]["layers"]
    for stage, epochs in (("distill", 2), ("prune", 1)):
        history = json.loads((made / stage / "small" / "history.json").read_text())
        assert len(history["epochs"]) == epochs
        assert history["epochs"][-1]["scheduled"] == {"losses.soft_label": 1.0, "temperature": 1.0}


def test_a_run_from_a_step_says_how_it_goes_on(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compress.cli.watch import Terminal

    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    command = ["run", str(tmp_path / "pipeline.yaml"), "--until", "distill/small"]
    command += ["--set", "teacher.train.checkpoint_steps=20", "--set", "students.small.distill.checkpoint_steps=1"]
    told: list[tuple[str, int]] = []
    stop = ("teacher", 30)

    def progress(self: Terminal, done: int, total: int, note: str) -> None:
        if note.startswith("epoch"):
            told.append((self._step, done))
            if told[-1] == stop:
                raise KeyboardInterrupt

    monkeypatch.setattr(Terminal, "progress", progress)
    assert code([*command, "--from", "teacher"]) == 130
    assert capsys.readouterr().err == "stopped in teacher. The same command goes on from its last checkpoint.\n"
    told.clear()
    stop = ("distill/small", 3)
    assert code([*command, "--from", "teacher"]) == 130
    assert told[0] == ("teacher", 21)
    assert capsys.readouterr().err.startswith("stopped in distill/small. The same command with `--from distill/small` ")
    told.clear()
    stop = ("", 0)
    assert code([*command, "--from", "distill/small"]) == 0
    assert told[0] == ("distill/small", 3)
    made = weights(tmp_path / "runs")
    assert made == weights(finished / "runs")


def test_a_failed_gate_exits_1(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(["run", str(finished / "pipeline.yaml"), "--set", "gate.size.max_mb=0.001"]) == 1
    assert code(["gate", str(finished / "runs" / "demo")]) == 1
    capsys.readouterr()
    assert code(["run", str(finished / "pipeline.yaml")]) == 0


def test_pretrained_weights_come_from_a_folder(finished: Path, tmp_path: Path) -> None:
    path = project.write(tmp_path)
    teacher = finished / "runs" / "demo" / "teacher"
    sets = ["--set", f"teacher.model={{folder: {teacher}}}", "--until", "teacher"]
    assert code(["run", str(path), *sets]) == 0
    wrong = ["--set", f"teacher.model={{folder: {teacher}, sha256: {'0' * 64}}}", "--until", "teacher"]
    assert code(["run", str(path), *wrong]) == 2
